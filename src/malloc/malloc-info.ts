// The XML that malloc_info(0, stream) prints, read back to exact numbers.
import { XMLParser, XMLValidator } from 'fast-xml-parser'

/** One `<heap nr>` of malloc_info: an arena in ring order. */
export interface MallocInfoHeap {
  readonly index: number
  /** Fastbin chunks; 0 from glibc 2.43 on, which has none. */
  readonly fastCount: number
  readonly fastBytes: number
  /** Binned chunks, and top where this glibc counts it (≥ 2.31); the raw sum, one flag bit too many per binned chunk. */
  readonly restCount: number
  readonly restBytes: number
  readonly systemBytes: number
  readonly maxSystemBytes: number
}

export interface MallocInfo {
  readonly heaps: readonly MallocInfoHeap[]
  /** `<total type="mmap">`; null before glibc 2.20. */
  readonly mmapped: { readonly count: number; readonly bytes: number } | null
  readonly systemBytes: number
}

/** The text is no malloc_info output, or it is cut. */
export class MallocInfoError extends Error {
  override readonly name = 'MallocInfoError'
}

interface Typed {
  readonly type: string
  readonly size: string
  readonly count?: string
}
interface Part {
  readonly total?: readonly Typed[]
  readonly system?: readonly Typed[]
}
interface Document {
  readonly malloc?: Part & { readonly heap?: readonly (Part & { readonly nr: string })[] }
}

const LISTS = new Set(['heap', 'size', 'system', 'aspace', 'total'])

/** Parses malloc_info's output; text before `<malloc` is skipped. Throws MallocInfoError. */
export function parseMallocInfo(text: string): MallocInfo {
  const start = text.indexOf('<malloc version=')
  if (start < 0) throw new MallocInfoError('there is no <malloc version=…> element')
  const xml = text.slice(start)
  const valid = XMLValidator.validate(xml)
  if (valid !== true) throw new MallocInfoError(`line ${valid.err.line}: ${valid.err.msg}`)
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '',
    parseAttributeValue: false,
    parseTagValue: false,
    isArray: (name) => LISTS.has(name),
  })
  const { malloc } = parser.parse(xml) as Document
  if (!malloc?.heap) throw new MallocInfoError('there is no <heap> element')
  const mmap = malloc.total?.find((total) => total.type === 'mmap')
  return {
    heaps: malloc.heap.map((heap) => ({
      index: integer(heap.nr),
      fastCount: integer(pick(heap.total, 'fast')?.count ?? '0'),
      fastBytes: integer(pick(heap.total, 'fast')?.size ?? '0'),
      restCount: integer(needed(heap.total, 'rest').count ?? ''),
      restBytes: integer(needed(heap.total, 'rest').size),
      systemBytes: integer(needed(heap.system, 'current').size),
      maxSystemBytes: integer(needed(heap.system, 'max').size),
    })),
    mmapped: mmap ? { count: integer(mmap.count ?? ''), bytes: integer(mmap.size) } : null,
    systemBytes: integer(needed(malloc.system, 'current').size),
  }
}

/**
 * Bytes that glibc counts as free in one arena. malloc_info adds up raw size words, so each binned chunk brings
 * its PREV_INUSE bit along; top, counted in `rest` since 2.31, is added without it (malloc/malloc.c, __malloc_info).
 */
export function freeBytesOf(heap: MallocInfoHeap): number {
  return heap.fastBytes + heap.restBytes - Math.max(0, heap.restCount - 1)
}

function pick(list: readonly Typed[] | undefined, type: string): Typed | undefined {
  return list?.find((entry) => entry.type === type)
}

function needed(list: readonly Typed[] | undefined, type: string): Typed {
  const found = pick(list, type)
  if (!found) throw new MallocInfoError(`there is no element of type="${type}"`)
  return found
}

function integer(text: string): number {
  if (!/^\d+$/.test(text)) throw new MallocInfoError(`not a number: ${JSON.stringify(text)}`)
  return Number(text)
}
