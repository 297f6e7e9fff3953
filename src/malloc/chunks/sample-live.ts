// A sample of the chunks in use, evenly over all arenas: what their first words say of who holds them.
import { type Address, address } from '../../memory/address.js'
import type { MemorySource } from '../../memory/memory-source.js'
import { PageCache } from '../../memory/page-cache.js'
import { segmentsOf } from '../arenas/segments.js'
import type { HeapModel } from '../heap-model.js'
import type { GlibcLayout } from '../layout.js'
import { walkSegment } from './walk.js'

/**
 * The first words of about `count` chunks in use (of all of them where there are fewer), arenas in ring order. Chunks in
 * tcaches and fastbins look in use, and are among them; arenas that could not be walked whole are left out.
 */
export function sampleFirstWords(
  memory: MemorySource,
  model: HeapModel,
  layout: GlibcLayout,
  count: number,
): bigint[] {
  const { wordBytes, chunkAlign } = layout
  const step = Math.max(1, Math.ceil((model.totals.usedChunks ?? count) / count))
  const chunks: Address[] = []
  let seen = 0
  for (const arena of model.arenas) {
    if (!arena.sizes || arena.top === null) continue
    for (const segment of segmentsOf({ ...arena, top: arena.top }, layout)) {
      walkSegment(memory, segment, wordBytes, chunkAlign, {
        visit: (at, _, kind) => {
          if (kind === 'used' && seen++ % step === 0) chunks.push(address(segment.origin + BigInt(at)))
          return chunks.length >= 2 * count
        },
      })
    }
  }
  const cache = new PageCache(memory)
  return chunks.flatMap((chunk) => cache.word(chunk + BigInt(2 * wordBytes), wordBytes) ?? [])
}
