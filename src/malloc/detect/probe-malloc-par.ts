// mp_ without symbols: near main_arena, the struct whose members look like malloc's parameters.
import { type Address, offset } from '../../memory/address.js'
import { PageCache } from '../../memory/page-cache.js'
import { regionAt } from '../../memory/region.js'
import type { Target } from '../../target/target.js'
import { type GlibcLayout, layoutOfVersion, type MallocParLayout } from '../layout.js'
import type { Stretch } from './libc.js'

export interface FoundMallocPar {
  readonly address: Address
  readonly layout: MallocParLayout
}

const DEFAULT_BYTES = 0x20000n
const DEFAULT_MMAP_MAX = 65536n
const MOST_ARENAS = 65536n
// A threshold larger than this is no setting that anyone makes; most words of .data are pointers and fail here.
const MOST_BYTES = 1n << 40n
const LEAST_SCORE = 4

/** The best candidate for mp_ in a stretch of libc's data; null when none is convincing. */
export function findMallocPar(
  target: Target,
  stretch: Stretch,
  layout: GlibcLayout,
  minor: number | null,
): FoundMallocPar | null {
  const cache = new PageCache(target.memory, 1024)
  const word = layout.wordBytes
  const layouts = (minor === null ? [44, 36, 31, 25, 23] : [minor]).map((m) => layoutOfVersion(m, word).par)
  let best: (FoundMallocPar & { score: number }) | null = null
  for (let at = 0; at + layouts[0]!.sizeBytes <= stretch.sizeBytes; at += word) {
    const candidate = offset(stretch.start, at)
    for (const par of layouts) {
      const score = scoreOf(target, cache, candidate, par, word)
      if (score >= LEAST_SCORE && (best === null || score > best.score)) {
        best = { address: candidate, layout: par, score }
      }
    }
  }
  return best && { address: best.address, layout: best.layout }
}

// 0 when a member is impossible; else how many members have the value they have in most processes.
function scoreOf(target: Target, cache: PageCache, at: Address, par: MallocParLayout, word: 8 | 4): number {
  const wide = (member: number) => cache.word(at + BigInt(member), word) ?? -1n
  const int = (member: number) => cache.word(at + BigInt(member), 4) ?? -1n
  const trim = wide(0)
  const pad = wide(word)
  const threshold = wide(2 * word)
  const bounded = (value: bigint, most: bigint) => value >= 0n && value <= most
  if (!bounded(trim, MOST_BYTES) || !bounded(pad, MOST_BYTES) || !bounded(threshold, MOST_BYTES)) return 0
  const arenaTest = wide(3 * word)
  if (!bounded(arenaTest, MOST_ARENAS) || !bounded(wide(4 * word), MOST_ARENAS)) return 0
  const [mmaps, mmapsMost, mmapsPeak, noDynamic] = [0, 4, 8, 12].map((step) => int(par.nMmaps + step))
  if (mmaps! < 0n || mmaps! > mmapsPeak! || noDynamic! > 1n || noDynamic! < 0n) return 0
  const sbrkBase = wide(par.sbrkBase)
  const region = regionAt(target.regions(), sbrkBase)
  if (sbrkBase !== 0n && region === null) return 0
  let score = 0
  if (mmapsMost === DEFAULT_MMAP_MAX) score += 2
  if (arenaTest === (word === 8 ? 8n : 2n)) score++
  if (pad === DEFAULT_BYTES) score++
  if (trim === 2n * threshold || (trim === DEFAULT_BYTES && threshold === DEFAULT_BYTES)) score++
  if (region !== null && region.start === sbrkBase) score += 2
  return score
}
