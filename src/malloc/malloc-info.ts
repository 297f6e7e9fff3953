// The XML that malloc_info(0, stream) prints, read back to exact numbers.
import { XMLParser, XMLValidator } from 'fast-xml-parser'

/** One `<heap nr>` of malloc_info: an arena in ring order. */
export interface MallocInfoHeap {
  readonly index: number
  /** Fastbin chunks; 0 from glibc 2.43 on, which has none. */
  readonly fastCount: number
  readonly fastBytes: number
  /** Binned chunks, and top where `topInRest`; the raw sum, one flag bit too many per binned chunk. */
  readonly restCount: number
  readonly restBytes: number
  /** This glibc counts top in `rest` (≥ 2.31, and late builds of 2.30); told by what `<sizes>` lists, which is never top. */
  readonly topInRest: boolean
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
interface Counted {
  readonly count: string
}
interface HeapElement extends Part {
  readonly nr: string
  /** A string when it is empty. */
  readonly sizes?: string | { readonly size?: readonly Counted[]; readonly unsorted?: readonly Counted[] }
}
interface Document {
  readonly malloc?: Part & { readonly heap?: readonly HeapElement[] }
}

const LISTS = new Set(['heap', 'size', 'unsorted', 'system', 'aspace', 'total'])

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
    heaps: malloc.heap.map(toHeap),
    mmapped: mmap ? { count: integer(mmap.count ?? ''), bytes: integer(mmap.size) } : null,
    systemBytes: integer(needed(malloc.system, 'current').size),
  }
}

function toHeap(heap: HeapElement): MallocInfoHeap {
  const fastCount = integer(pick(heap.total, 'fast')?.count ?? '0')
  const restCount = integer(needed(heap.total, 'rest').count ?? '')
  const sizes = typeof heap.sizes === 'object' ? heap.sizes : {}
  const listed = [...(sizes.size ?? []), ...(sizes.unsorted ?? [])]
  return {
    index: integer(heap.nr),
    fastCount,
    fastBytes: integer(pick(heap.total, 'fast')?.size ?? '0'),
    restCount,
    restBytes: integer(needed(heap.total, 'rest').size),
    topInRest: listed.reduce((sum, { count }) => sum + integer(count), 0) < fastCount + restCount,
    systemBytes: integer(needed(heap.system, 'current').size),
    maxSystemBytes: integer(needed(heap.system, 'max').size),
  }
}

/**
 * Bytes that glibc counts as free in one arena. malloc_info adds up raw size words, so each binned chunk brings
 * its PREV_INUSE bit along; top, where `rest` has it, is added without it (malloc/malloc.c, __malloc_info).
 * `topBytes`: the arena's top, needed only where `topInRest` is false, because nothing in the text tells it.
 */
export function freeBytesOf(heap: MallocInfoHeap, topBytes = 0): number {
  const { fastBytes, restBytes, restCount, topInRest } = heap
  return fastBytes + restBytes - (topInRest ? restCount - 1 : restCount - topBytes)
}

/** Chunks in fastbins and bins of one arena, top not counted. */
export function freeChunksOf(heap: MallocInfoHeap): number {
  return heap.fastCount + heap.restCount - (heap.topInRest ? 1 : 0)
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
