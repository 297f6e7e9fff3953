// Arenas of two reports, put beside each other.
import type { ReportArena, ReportHeapModel } from '../report/report.js'
import type { DiffArena, Growth, Presence } from './diff.js'
import { growth } from './growth.js'
import { allArenasSeen } from './metrics.js'

/** In the order of B, those that are gone last. By address in one process, else by their position in the ring. */
export function compareArenas(a: ReportHeapModel, b: ReportHeapModel, sameProcess: boolean): DiffArena[] {
  const keyOf = ({ address, index }: ReportArena) => (sameProcess ? address : index)
  const before = new Map(a.arenas.map((arena) => [keyOf(arena), arena]))
  const after = new Map(b.arenas.map((arena) => [keyOf(arena), arena]))
  const gone = a.arenas.filter((arena) => !after.has(keyOf(arena)))
  return [
    ...b.arenas.map((arena) => pair(before.get(keyOf(arena)) ?? null, arena, allArenasSeen(a))),
    ...gone.map((arena) => pair(arena, null, allArenasSeen(b))),
  ]
}

/** `othersSeen`: all arenas of the side that has it not were seen, so that it held nothing there. */
function pair(from: ReportArena | null, to: ReportArena | null, othersSeen: boolean): DiffArena {
  const absent = othersSeen ? 0 : null
  const change = (key: 'systemBytes' | 'inUseBytes' | 'freeBytes'): Growth =>
    growth(from ? from[key] : absent, to ? to[key] : absent)
  return {
    presence: presence(from !== null, to !== null, othersSeen),
    indexInA: from?.index ?? null,
    indexInB: to?.index ?? null,
    address: (to ?? from)!.address,
    systemBytes: change('systemBytes'),
    inUseBytes: change('inUseBytes'),
    freeBytes: change('freeBytes'),
  }
}

function presence(isInA: boolean, isInB: boolean, othersSeen: boolean): Presence {
  if (isInA && isInB) return 'both'
  if (!othersSeen) return 'unknown'
  return isInB ? 'new' : 'gone'
}
