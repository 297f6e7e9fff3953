// Anonymous memory that no known heap and no stack holds: where chunks without a way to them are looked for.
import { type Address, address, offset } from '../../memory/address.js'
import { type Region, sizeOf } from '../../memory/region.js'
import type { Target } from '../../target/target.js'
import type { Heap } from '../heap-model.js'

/** A run of readable and writable anonymous memory. */
export interface AnonymousStretch {
  readonly start: Address
  readonly sizeBytes: number
  /** All of it is in RAM (or it is a core): looking at every page changes nothing in the process. */
  readonly mayScan: boolean
}

/** Private anonymous memory of the target, `[heap]` included when asked, without the heaps given and without stacks. */
export function anonymousMemory(
  target: Target,
  heaps: readonly Heap[],
  includeBrk: boolean,
): readonly AnonymousStretch[] {
  const held = heaps
    .map((heap) => ({ start: heap.address, end: offset(heap.address, heap.reservedBytes) }))
    .sort((a, b) => (a.start < b.start ? -1 : 1))
  const stacks = [...new Set(target.threads().flatMap((thread) => thread.stackPointer ?? []))].sort((a, b) =>
    a < b ? -1 : 1,
  )
  const stretches: AnonymousStretch[] = []
  for (const region of target.regions()) {
    if (!isAnonymous(region, includeBrk) || holdsOneOf(stacks, region)) continue
    const mayScan =
      target.kind === 'core' || target.residentBytes(region.start, region.end) === sizeOf(region)
    let from: bigint = region.start
    for (const heap of held) {
      if (heap.end <= from || heap.start >= region.end) continue
      if (heap.start > from) {
        stretches.push({ start: address(from), sizeBytes: Number(heap.start - from), mayScan })
      }
      from = heap.end
    }
    if (from < region.end) {
      stretches.push({ start: address(from), sizeBytes: Number(region.end - from), mayScan })
    }
  }
  return stretches
}

/** Private readable and writable memory of no file; `[heap]` only when asked. */
export function isAnonymous({ permissions, path }: Region, includeBrk: boolean): boolean {
  if (!permissions.read || !permissions.write || permissions.shared) return false
  return path === null || path.startsWith('[anon') || (includeBrk && path === '[heap]')
}

function holdsOneOf(sorted: readonly Address[], region: Region): boolean {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! < region.start) low = middle + 1
    else high = middle
  }
  return low < sorted.length && sorted[low]! < region.end
}
