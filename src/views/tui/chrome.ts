// What stands around every pane: header, tabs, status and key lines, as styled text.

import type { Severity } from '../../findings/finding.js'
import { printable } from '../../format/printable.js'
import { countText } from '../../format/sizes.js'
import type { Report } from '../../report/report.js'
import { stopText } from '../../report/stop-text.js'
import type { Session } from '../../session/session.js'
import { clip, clipRow, fitRow, widthOf } from './columns.js'
import type { Paint } from './paint.js'
import { PANES, paneOf } from './panes.js'
import type { KeyHelp, Size, TuiState } from './tui-state.js'

/** The lines that Ink lays out. Styled strings of at most `size.columns` columns. */
export interface Chrome {
  readonly size: Size
  readonly header: string
  readonly tabs: string
  readonly status: string
  readonly keys: string
  /** What covers the body: the help, or null for the pane's own rows. */
  readonly help: readonly HelpSection[] | null
}

export interface HelpSection {
  readonly title: string
  readonly keys: readonly KeyHelp[]
}

const EVERYWHERE: readonly KeyHelp[] = [
  { keys: 'j k ↓ ↑', does: 'down, up' },
  { keys: 'PgDn PgUp', does: 'a page; Ctrl-d Ctrl-u half of one' },
  { keys: 'g G Home End', does: 'first, last' },
  { keys: `Tab 1 … ${PANES.length}`, does: 'change pane' },
  { keys: 'Esc', does: 'back to where the last jump came from' },
  { keys: ':', does: "go to an address, arena N, a pane's name" },
  { keys: 'r', does: 'refresh a live target' },
  { keys: '?', does: 'this help' },
  { keys: 'q Ctrl-C', does: 'quit' },
]

/** `memsqld · core.6 · pid 6 · 531 threads · glibc 2.36 (layout by probing)`. */
export function targetText({ target }: Report): string {
  const program = target.executable?.split('/').at(-1) ?? null
  const parts = program === null || target.label.includes(program) ? [] : [printable(program)]
  parts.push(printable(target.label))
  const pid = `pid ${target.pid}`
  if (target.pid !== null && !target.label.includes(pid)) parts.push(pid)
  parts.push(
    `${countText(target.threads)} ${target.threads === 1 ? 'thread' : 'threads'}`,
    ...stopText(target.stop),
  )
  if (target.glibc) {
    const from = { 'debug-info': 'debug info', table: 'known layout', probe: 'layout by probing' }
    parts.push(`glibc ${printable(target.glibc.version ?? 'unknown')} (${from[target.glibc.layoutFrom]})`)
  } else parts.push('no glibc malloc found')
  return parts.join(' · ')
}

function verdictBadge(report: Report, paint: Paint): string {
  const many = (severity: Severity) =>
    report.findings.filter((finding) => finding.severity === severity).length
  return (['critical', 'warning', 'info'] as const)
    .filter((severity) => many(severity) > 0)
    .map((severity) => paint.severity[severity](` ${many(severity)} ${severity.toUpperCase()} `))
    .join(' ')
}

function headerText(report: Report, width: number, paint: Paint): string {
  const badge = verdictBadge(report, paint)
  const room = width - widthOf(badge) - 2
  if (room < 12) return clipRow(badge, width)
  return `${fitRow(` ${paint.title(clip(targetText(report), room - 1))}`, room)} ${badge}`
}

/** Full names with room between them, else close together, else the name of the shown pane alone. */
function tabsText(state: TuiState, session: Session, paint: Paint): string {
  const name = (index: number) => `${index + 1} ${PANES[index]!.title}`
  const tabs = (plain: (index: number) => string) =>
    PANES.map((pane, i) => (pane.id === state.pane ? paint.selected(`[${name(i)}]`) : plain(i))).join(' ')
  const live = session.isLive ? (state.refreshing ? 'refreshing …' : 'live · r refreshes') : ''
  const shortLive = session.isLive && !state.refreshing ? 'live · r' : live
  const forms = [
    ` ${tabs((i) => ` ${name(i)} `)}   ${paint.dim(live)}`,
    ` ${tabs(name)}   ${paint.dim(shortLive)}`,
    ` ${tabs((i) => `${i + 1}`)}  ${paint.dim(shortLive)}`,
  ]
  return forms.find((form) => widthOf(form) <= state.size.columns) ?? forms.at(-1)!
}

function statusText(state: TuiState, paint: Paint): string {
  const width = state.size.columns
  if (state.prompt !== null) {
    const typed = printable(state.prompt)
    const over = Math.max(0, widthOf(typed) - (width - 12))
    const hint = typed === '' ? paint.dim('  hex address, arena N, pane name') : ''
    return ` go to: ${typed.slice(over)}${paint.selected('_')}${hint}`
  }
  if (!state.notice) return ''
  const text = clip(
    `${state.notice.kind === 'error' ? 'error: ' : ''}${printable(state.notice.text)}`,
    width - 1,
  )
  return ` ${state.notice.kind === 'error' ? paint.error(text) : text}`
}

function hintsOf(state: TuiState): readonly KeyHelp[] {
  if (state.help) return [{ keys: 'any key', does: 'close' }]
  if (state.prompt !== null)
    return [
      { keys: 'Enter', does: 'go' },
      { keys: 'Esc', does: 'cancel' },
    ]
  return [
    { keys: 'q', does: 'quit' },
    { keys: '?', does: 'keys' },
    { keys: 'Tab', does: 'pane' },
    ...paneOf(state.pane).hints,
  ]
}

/** The hints that fit, whole. */
function keysText(state: TuiState, paint: Paint): string {
  let room = state.size.columns
  let text = ''
  for (const { keys, does } of hintsOf(state)) {
    room -= keys.length + does.length + 3
    if (room < 0) break
    text += ` ${paint.key(keys)} ${does} `
  }
  return text
}

/** The chrome of `state`. */
export function chromeOf(state: TuiState, session: Session, paint: Paint): Chrome {
  const width = state.size.columns
  const pane = paneOf(state.pane)
  const help = [
    { title: `${pane.title}`, keys: pane.help },
    { title: 'Everywhere', keys: EVERYWHERE },
  ]
  return {
    size: state.size,
    header: headerText(session.report, width, paint),
    tabs: clipRow(tabsText(state, session, paint), width),
    status: clipRow(statusText(state, paint), width),
    keys: clipRow(keysText(state, paint), width),
    help: state.help ? help : null,
  }
}
