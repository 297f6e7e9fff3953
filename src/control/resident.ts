// Bytes of a process in RAM, as the kernel counts them at this moment.
import type { Arena } from '../malloc/heap-model.js'
import { offset } from '../memory/address.js'
import { readTextOrNull } from '../target/live/proc-file.js'
import type { Target } from '../target/target.js'

/** RSS from smaps_rollup, which is exact, or from status, which lags on new kernels; null where neither can be read. */
export function rssBytes(pid: number): number | null {
  for (const [file, name] of [
    ['smaps_rollup', 'Rss'],
    ['status', 'VmRSS'],
  ]) {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(
      readTextOrNull(`/proc/${pid}/${file}`) ?? '',
    )
    if (found) return Number(found[1]) * 1024
  }
  return null
}

/** Resident bytes of each arena's heaps, at the places where they were when `arenas` were read. */
export function residentOf(target: Target, arenas: readonly Arena[]): readonly (number | null)[] {
  return arenas.map(({ heaps }) =>
    heaps.reduce<number | null>((sum, { address, reservedBytes }) => {
      const bytes = target.residentBytes(address, offset(address, reservedBytes))
      return sum === null || bytes === null ? null : sum + bytes
    }, 0),
  )
}
