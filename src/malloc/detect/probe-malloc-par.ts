// mp_ without symbols: near main_arena, the struct whose members look like malloc's parameters.
import { type Address, offset } from '../../memory/address.js'
import type { MemorySource } from '../../memory/memory-source.js'
import { type Region, regionAt } from '../../memory/region.js'
import type { Target } from '../../target/target.js'
import { type GlibcLayout, layoutOfVersion, type MallocParLayout } from '../layout.js'
import type { Stretch } from './libc.js'

export interface FoundMallocPar {
  readonly address: Address
  readonly layout: MallocParLayout
}

const DEFAULT_BYTES = 0x20000
const DEFAULT_MMAP_MAX = 65536
const MOST_ARENAS = 65536
// A threshold larger than this is no setting that anyone makes; most words of .data are pointers and fail here.
const MOST_BYTES = 2 ** 40
const LEAST_SCORE = 4
const BLOCK_BYTES = 1 << 20
const PAGE_BYTES = 4096

/** The best candidate for mp_ in a stretch of libc's data; null when none is convincing. */
export function findMallocPar(
  target: Target,
  stretch: Stretch,
  layout: GlibcLayout,
  minor: number | null,
): FoundMallocPar | null {
  const word = layout.wordBytes
  const layouts = (minor === null ? [44, 36, 31, 25, 23] : [minor]).map((m) => layoutOfVersion(m, word).par)
  const most = Math.max(...layouts.map(({ sizeBytes }) => sizeBytes))
  const regions = target.regions()
  let best: (FoundMallocPar & { score: number }) | null = null
  for (let from = 0; from < stretch.sizeBytes; from += BLOCK_BYTES) {
    const length = Math.min(BLOCK_BYTES + most, stretch.sizeBytes - from) & -word
    const words = readWords(target.memory, offset(stretch.start, from), length)
    for (let at = 0; at < BLOCK_BYTES && at + layouts[0]!.sizeBytes <= length; at += word) {
      for (const par of layouts) {
        if (at + par.sizeBytes > length) continue
        const score = scoreOf(words, at >> 2, par, word, regions)
        if (score >= LEAST_SCORE && (best === null || score > best.score)) {
          best = { address: offset(stretch.start, from + at), layout: par, score }
        }
      }
    }
  }
  return best && { address: best.address, layout: best.layout }
}

// `length` bytes as 32-bit words, those of pages that cannot be read all ones, which are no value of a member.
function readWords(memory: MemorySource, start: Address, length: number): Uint32Array {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; ) {
    const got = memory.read(offset(start, at), bytes.subarray(at))
    at += got
    if (at >= length) break
    const next = Math.min(length, at + PAGE_BYTES - Number(offset(start, at) & BigInt(PAGE_BYTES - 1)))
    bytes.fill(0xff, at & ~3, next)
    at = next
  }
  return new Uint32Array(bytes.buffer, 0, length >> 2)
}

// 0 when a member is impossible; else how many members have the value they have in most processes.
function scoreOf(
  words: Uint32Array,
  at: number,
  par: MallocParLayout,
  word: 8 | 4,
  regions: readonly Region[],
): number {
  const wide = (member: number) => {
    const index = at + (member >> 2)
    return word === 8 ? words[index]! + words[index + 1]! * 2 ** 32 : words[index]!
  }
  const trim = wide(0)
  const pad = wide(word)
  const threshold = wide(2 * word)
  if (trim > MOST_BYTES || pad > MOST_BYTES || threshold > MOST_BYTES) return 0
  const arenaTest = wide(3 * word)
  if (arenaTest > MOST_ARENAS || wide(4 * word) > MOST_ARENAS) return 0
  // n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn_threshold: ints.
  const ints = at + (par.nMmaps >> 2)
  if (words[ints]! > words[ints + 2]! || words[ints + 3]! > 1) return 0
  let score = 0
  if (words[ints + 1] === DEFAULT_MMAP_MAX) score += 2
  if (arenaTest === (word === 8 ? 8 : 2)) score++
  if (pad === DEFAULT_BYTES) score++
  if (trim === 2 * threshold || (trim === DEFAULT_BYTES && threshold === DEFAULT_BYTES)) score++
  if (score + 2 < LEAST_SCORE) return 0
  const sbrkBase = wide(par.sbrkBase)
  const region = Number.isSafeInteger(sbrkBase) ? regionAt(regions, BigInt(sbrkBase)) : null
  if (sbrkBase !== 0 && region === null) return 0
  return region !== null && Number(region.start) === sbrkBase ? score + 2 : score
}
