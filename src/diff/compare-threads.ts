// Threads of two reports, put beside each other.
import type { ReportThread } from '../report/report.js'
import type { DiffThread } from './diff.js'
import { growth, incomparable } from './growth.js'

/**
 * By id in one process; of two processes all threads of one name are one row, which tells nothing of growth where a side has
 * threads whose names are unknown (most cores).
 */
export function compareThreads(
  a: readonly ReportThread[],
  b: readonly ReportThread[],
  sameProcess: boolean,
): DiffThread[] {
  const [before, after] = [grouped(a, sameProcess), grouped(b, sameProcess)]
  const isSure = sameProcess || [...a, ...b].every(({ name }) => name !== null)
  const change = isSure ? growth : incomparable
  return [...new Set([...before.keys(), ...after.keys()])].map((key) => {
    const [from, to] = [before.get(key) ?? [], after.get(key) ?? []]
    const { tid, name } = (to[0] ?? from[0])!
    return {
      presence:
        from.length > 0 && to.length > 0 ? 'both' : isSure ? (to.length > 0 ? 'new' : 'gone') : 'unknown',
      tid: sameProcess ? tid : null,
      name,
      threads: change(from.length, to.length),
      tcacheBytes: change(cached(from), cached(to)),
    }
  })
}

function grouped(
  threads: readonly ReportThread[],
  sameProcess: boolean,
): ReadonlyMap<number | string | null, readonly ReportThread[]> {
  const groups = new Map<number | string | null, ReportThread[]>()
  for (const thread of threads) {
    const key = sameProcess ? thread.tid : thread.name
    const group = groups.get(key)
    if (group) group.push(thread)
    else groups.set(key, [thread])
  }
  return groups
}

// A thread without a tcache that was found may have none, or one that was not found.
function cached(threads: readonly ReportThread[]): number | null {
  let sum = 0
  for (const { tcache } of threads) {
    if (!tcache) return null
    sum += tcache.bytes
  }
  return sum
}
