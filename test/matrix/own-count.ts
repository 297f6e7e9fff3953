// The blocks that a process of heap-shapes.c counted itself, held against ours.
import { readFileSync } from 'node:fs'
import { CHUNK_STATES, listChunks } from '../../src/malloc/chunks/list-chunks.js'
import type { MallocState } from '../../src/malloc/read-heap-model.js'
import { cachesByContent, tcacheChunkSizes } from '../../src/malloc/threads/caches-by-content.js'
import { tcacheLayouts } from '../../src/malloc/threads/tcache-layout.js'
import type { ThreadCache } from '../../src/malloc/threads/thread-cache.js'
import { readExactly } from '../../src/memory/memory-source.js'
import type { Target } from '../../src/target/target.js'

interface Held {
  readonly blocks: number
  readonly bytes: number
}

/** What the program writes: bytes are sizes of chunks, headers included. */
interface OwnCount {
  /** Threads that ever allocated, and those that ever freed a chunk of a size that tcaches take. */
  readonly allocating: number
  readonly freeing: number
  readonly main: Held
  readonly others: Held
  readonly mmapped: Held
}

/**
 * [what, ours, the program's] where our live chunks are not those that the program counted, plus what comes past its
 * count: the tcache struct of each of its threads, and (after fork) what lies in the caches of threads that are gone,
 * which are found by their content here. `minor`: of glibc 2.x; `structs`: which threads have one.
 */
export function differencesFromOwnCount(
  target: Target,
  { model, layout }: MallocState,
  countFile: string,
  minor: number,
  structs: 'allocating' | 'freeing' | 'none',
): readonly (readonly [what: string, ours: number | null, counted: number])[] {
  const own = JSON.parse(readFileSync(countFile, 'utf8')) as OwnCount
  const word = layout.wordBytes
  const layouts = tcacheLayouts(minor, word)
  const sizes = tcacheChunkSizes(layouts)
  const candidates: bigint[] = []
  for (const { count, states, sizes: of, addresses } of listChunks(target.memory, layout, model)) {
    for (let row = 0; row < count; row++) {
      if (CHUNK_STATES[states[row]!] === 'live' && sizes.has(of[row]!)) candidates.push(addresses[row]!)
    }
  }
  const { caches: left } = cachesByContent(
    target,
    BigUint64Array.from(candidates),
    layout,
    layouts,
    model.caches,
  )
  const [main, ...others] = model.arenas
  const isMain = (chunk: bigint) =>
    main!.heaps.some((heap) => chunk >= heap.address && chunk < heap.address + BigInt(heap.sizeBytes))
  const expected = { main: { ...own.main }, others: { ...own.others } }
  const add = (chunk: bigint, bytes: number): void => {
    const sum = isMain(chunk) ? expected.main : expected.others
    sum.blocks++
    sum.bytes += bytes
  }
  for (const cache of [...model.caches, ...left]) {
    const chunk = cache.address - BigInt(2 * word)
    add(chunk, structBytes(target, cache, word))
  }
  for (const { chunks, sizes } of left) {
    chunks.forEach((chunk, index) => {
      add(chunk, sizes[index]!)
    })
  }
  const sum = (of: 'usedChunks' | 'liveBytes') =>
    others.reduce<number | null>(
      (sum, { [of]: value }) => (sum === null || value === null ? null : sum + value),
      0,
    )
  const rows = [
    ['tcache structs', model.caches.length + left.length, structs === 'none' ? 0 : own[structs]],
    ['blocks of main_arena', main!.usedChunks, expected.main.blocks],
    ['bytes of main_arena', main!.liveBytes, expected.main.bytes],
    ['blocks of other arenas', sum('usedChunks'), expected.others.blocks],
    ['bytes of other arenas', sum('liveBytes'), expected.others.bytes],
    ['mmapped blocks', model.mmapped.found.length, own.mmapped.blocks],
  ] as const
  return rows.filter(([, ours, counted]) => ours !== counted)
}

function structBytes(target: Target, { address }: ThreadCache, word: 8 | 4): number {
  const head = readExactly(target.memory, (address - BigInt(word)) as typeof address, word)
  const view = new DataView(head.buffer, head.byteOffset)
  return Number(word === 8 ? view.getBigUint64(0, true) & ~7n : view.getUint32(0, true) & ~7)
}
