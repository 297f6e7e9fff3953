// Where Enter leads from a finding: the arenas, threads, regions or bytes that it speaks of.
import type { Finding } from '../../../findings/finding.js'
import type { Session } from '../../../session/session.js'
import { enterPane, goToAddress } from '../navigation.js'
import type { ArenaSort, PaneId, TuiState } from '../tui-state.js'
import { showArena, showArenas } from './arenas.js'

const PANES: Readonly<Record<string, PaneId>> = {
  'tcache-hoarding': 'threads',
  'thread-stacks': 'threads',
  'mmapped-near-limit': 'regions',
  'executable-heap': 'regions',
  'anonymous-dominates': 'regions',
  'other-allocator': 'regions',
  'memory-is-fine': 'overview',
}

/** The order that brings the arenas in question up: those without threads, those that give most to live chunks. */
const ORDERS: Readonly<Record<string, { readonly sort: ArenaSort; readonly reversed: boolean }>> = {
  'idle-arenas': { sort: 'threads', reversed: true },
  'size-class-dominates': { sort: 'in use', reversed: false },
  'malloc-stats-overflow': { sort: 'system', reversed: false },
}
const BY_FREE = { sort: 'free', reversed: false } as const

/** Index of the arena that the evidence names first, worst first, or null. */
function arenaNamed({ evidence }: Finding): number | null {
  for (const { label } of evidence) {
    const named = /^pinned in (?:main_arena|arena (\d+))$/.exec(label)
    if (named) return Number(named[1] ?? 0)
  }
  return null
}

/** The state with what `finding` speaks of on the screen, and the way back remembered. */
export function findingPlace(finding: Finding, state: TuiState, session: Session): TuiState {
  const damage = session.report.heap?.anomalies[0]
  if (finding.rule === 'corruption' && damage) return goToAddress(state, session, BigInt(damage.at))
  const pane = PANES[finding.rule]
  if (pane) return enterPane(state, pane)
  const arena = arenaNamed(finding)
  if (arena !== null) return showArena(state, session, arena)
  return showArenas(state, session, ORDERS[finding.rule] ?? BY_FREE)
}
