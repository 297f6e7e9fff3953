// Is malloc here somebody else's? jemalloc, tcmalloc, mimalloc, musl and others, by library or by their own texts.
import { bytesText } from '../../format/sizes.js'
import { offset } from '../../memory/address.js'
import { type Region, sizeOf } from '../../memory/region.js'
import type { Target } from '../../target/target.js'
import type { HeapModel } from '../heap-model.js'

/** An allocator that is not glibc's. */
export interface OtherAllocator {
  /** As people call it: `jemalloc`, `musl`. */
  readonly name: string
  /** What shows it, e.g. "libjemalloc.so.2 is mapped". */
  readonly how: string
  /**
   * `library`: a mapped library that takes malloc's place; `program`: linked into the program, which may use it beside
   * glibc's malloc; `libc`: that of another libc, so glibc's is not in this process.
   */
  readonly place: 'library' | 'program' | 'libc'
}

const MUSL = 'musl'

/** File names of libraries; those that stand in front of libc first. */
const LIBRARIES: readonly (readonly [file: RegExp, name: string, place: 'library' | 'libc'])[] = [
  [/^lib(clang_rt\.)?(asan|hwasan|lsan|msan|tsan)\b/, 'a sanitizer', 'library'],
  [/^libjemalloc[-.\w]*\.so/, 'jemalloc', 'library'],
  [/^libtcmalloc[-.\w]*\.so/, 'tcmalloc', 'library'],
  [/^libmimalloc[-.\w]*\.so/, 'mimalloc', 'library'],
  [/^libtbbmalloc_proxy[-.\w]*\.so/, 'TBB', 'library'],
  [/^libsnmalloc[-.\w]*\.so/, 'snmalloc', 'library'],
  [/^libhoard\.so/, 'Hoard', 'library'],
  [/^ld-musl-|^libc\.musl-/, MUSL, 'libc'],
]
const MUSL_FOLDER = /musl[^/]*\/libc\.so$/

/** mallocng's sizes 36 to 127, 16 bits each: in every static program that allocates (musl 1.2.1 on, size_classes). */
const MUSL_SIZES = String.fromCharCode(...[36, 42, 50, 63, 72, 84, 102, 127].flatMap((size) => [size, 0]))

/** What only this allocator's own code carries; all bytes below 0x80. musl's also: tables of its printf and strerror. */
const TEXTS: readonly (readonly [text: string, name: string, place: 'program' | 'libc'])[] = [
  ['<jemalloc>', 'jemalloc', 'program'],
  ['TCMALLOC_RELEASE_RATE', 'tcmalloc', 'program'],
  ['tcmalloc.max_total_thread_cache_bytes', 'tcmalloc', 'program'],
  ['mimalloc: warning: ', 'mimalloc', 'program'],
  [MUSL_SIZES, MUSL, 'libc'],
  ['-0X+0X 0X-0x+0x 0x', MUSL, 'libc'],
  ['No error information', MUSL, 'libc'],
]
const GLIBC_TEXT = 'GNU C Library ('

const BLOCK = 1 << 20
// Longer than any of the texts, so that one which crosses two blocks is seen whole in the second.
const OVERLAP = 64
/** Programs' read-only data beyond this are not looked through. */
const MOST_BYTES = 64 << 20

/** The allocator in glibc's place or beside it; null when none is seen. Reads at most 64 MiB of the program's file. */
export function detectAllocator(target: Target): OtherAllocator | null {
  return fromLibraries(target) ?? fromTexts(target)
}

function fromLibraries(target: Target): OtherAllocator | null {
  const paths = new Set(target.modules().map((module) => module.path))
  for (const region of target.regions()) if (region.path?.startsWith('/')) paths.add(region.path)
  for (const [file, name, place] of LIBRARIES) {
    for (const path of paths) {
      const base = fileName(path)
      if (file.test(base)) return { name, how: `${base} is mapped`, place }
    }
  }
  for (const path of paths)
    if (MUSL_FOLDER.test(path)) return { name: MUSL, how: `${path} is mapped`, place: 'libc' }
  return null
}

// The program's own texts stay what they are, however often a live target is measured.
const LOOKED_THROUGH = new WeakMap<Target, { readonly found: OtherAllocator | null }>()

function fromTexts(target: Target): OtherAllocator | null {
  const known = LOOKED_THROUGH.get(target) ?? { found: searchTexts(target) }
  LOOKED_THROUGH.set(target, known)
  return known.found
}

function searchTexts(target: Target): OtherAllocator | null {
  const program = target.modules().find((module) => module.isProgram)?.path ?? target.executable
  if (!program) return null
  const seen = new Set<string>()
  let left = MOST_BYTES
  for (const region of target.regions()) {
    const { read, write } = region.permissions
    if (region.path !== program || !read || write || left <= 0) continue
    left -= lookFor(target, region, Math.min(left, sizeOf(region)), seen)
  }
  const staticLibc =
    !seen.has(GLIBC_TEXT) && target.modules().every((module) => module.isProgram || isVdso(module.path))
  for (const [text, name, place] of TEXTS) {
    if (!seen.has(text) || (place === 'libc' && !staticLibc)) continue
    return { name, how: `${shown(text)} is in ${fileName(program)}`, place }
  }
  return null
}

/** Adds the texts found in the first `bytes` of `region` to `seen`; returns the bytes looked through. */
function lookFor(target: Target, region: Region, bytes: number, seen: Set<string>): number {
  const texts = [...TEXTS.map(([text]) => text), GLIBC_TEXT]
  const decoder = new TextDecoder('latin1')
  const block = new Uint8Array(BLOCK)
  for (let at = 0; at < bytes; at += BLOCK - OVERLAP) {
    const wanted = Math.min(BLOCK, bytes - at)
    const got = target.memory.read(offset(region.start, at), block.subarray(0, wanted))
    const text = decoder.decode(block.subarray(0, got))
    for (const one of texts) if (!seen.has(one) && text.includes(one)) seen.add(one)
    if (got < wanted) break
  }
  return bytes
}

function shown(text: string): string {
  return text === MUSL_SIZES ? 'its table of sizes' : JSON.stringify(text)
}

function isVdso(path: string): boolean {
  return path.startsWith('[') || path.startsWith('linux-vdso')
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** What glibc's malloc holds all the same; null: it was not found. `unused`: it is there, and was never asked. */
export type GlibcBeside = Pick<HeapModel, 'totals' | 'mmapped'> | 'unused' | null

/** One sentence for the user: whose malloc it is, and what glibc's arenas hold all the same. */
export function allocatorSentence(other: OtherAllocator, glibc: GlibcBeside): string {
  return `${whoseMalloc(other)} (${other.how}); ${glibcHolds(other, glibc)}`
}

/** "malloc here is jemalloc", "jemalloc is linked into this program". */
export function whoseMalloc({ name, place }: OtherAllocator): string {
  if (place === 'program') return `${name} is linked into this program`
  const named = /^(musl|TBB|a sanitizer)$/.test(name) ? `${name}'s` : name
  return `malloc here is ${named}`
}

function glibcHolds(other: OtherAllocator, glibc: GlibcBeside): string {
  if (glibc === 'unused') return "glibc's arenas hold 0 B: its malloc was never used"
  if (glibc === null) {
    return other.place === 'libc'
      ? "glibc's is not in this process, so there are no arenas to show; the maps are exact"
      : "glibc's arenas were not found; the maps are exact"
  }
  const { systemBytes } = glibc.totals
  const arenas = systemBytes === null ? 'an unknown amount' : bytesText(systemBytes)
  const mmapped = glibc.mmapped.bytes ? ` and its mmapped chunks ${bytesText(glibc.mmapped.bytes)}` : ''
  return `glibc's arenas hold ${arenas}${mmapped}`
}
