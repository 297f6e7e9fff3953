// mp_'s settings, which decide what malloc gives back and when.
import type { Address } from '../memory/address.js'
import type { PageCache } from '../memory/page-cache.js'
import type { MallocParameters } from './heap-model.js'
import type { GlibcLayout } from './layout.js'

/**
 * Reads mp_ at `par`; null when it is unknown. trim_threshold, top_pad, mmap_threshold, arena_test and arena_max are its
 * first five words in every glibc from 2.10 on; n_mmaps_max, max_n_mmaps and no_dyn_threshold follow n_mmaps.
 */
export function readParameters(
  memory: PageCache,
  par: Address | null,
  layout: GlibcLayout,
): MallocParameters | null {
  if (par === null) return null
  const word = layout.wordBytes
  const read = (at: number, bytes: 8 | 4): number | null => {
    const value = memory.word(par + BigInt(at), bytes)
    // M_TRIM_THRESHOLD −1, which means never, is stored as the largest word.
    return value === null ? null : Math.min(Number(value), Number.MAX_SAFE_INTEGER)
  }
  const noDynamic = read(layout.par.nMmaps + 12, 4)
  return {
    trimThresholdBytes: read(0, word),
    topPadBytes: read(word, word),
    mmapThresholdBytes: read(2 * word, word),
    arenaTest: read(3 * word, word),
    arenaMax: read(4 * word, word),
    mmapsMost: read(layout.par.nMmaps + 4, 4),
    dynamicThreshold: noDynamic === null ? null : noDynamic === 0,
  }
}
