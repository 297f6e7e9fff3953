// What stands around every pane: header, tabs, status and key lines, as styled text.

import type { Severity } from '../../findings/finding.js'
import { printable } from '../../format/printable.js'
import { countOf } from '../../format/sizes.js'
import type { Report } from '../../report/report.js'
import { stopText } from '../../report/stop-text.js'
import type { Session } from '../../session/session.js'
import { clip, clipRow, fitRow, widthOf } from './columns.js'
import type { Dialog } from './dialog.js'
import { type HelpLine, helpHints, helpLines } from './help.js'
import type { Paint } from './paint.js'
import { paneOf } from './panes.js'
import type { Prompt } from './prompt.js'
import { tabsText } from './tabs.js'
import type { KeyHelp, Size, TuiState } from './tui-state.js'

/** The lines that Ink lays out. Styled strings of at most `size.columns` columns. */
export interface Chrome {
  readonly size: Size
  readonly header: string
  readonly tabs: string
  readonly status: string
  readonly keys: string
  /** What covers the body: lines of the help, or null for the pane's own rows. */
  readonly help: readonly HelpLine[] | null
}

/** `memsqld · core.6 · pid 6 · 531 threads · glibc 2.36 (layout by probing)`; `process`: what a live one does. */
export function targetText({ target }: Report, isLoading = false, process: string | null = null): string {
  const program = target.executable?.split('/').at(-1) ?? null
  const parts = program === null || target.label.includes(program) ? [] : [printable(program)]
  parts.push(`${printable(target.label)}${process === null ? '' : ` (${process})`}`)
  const pid = `pid ${target.pid}`
  if (target.pid !== null && !target.label.includes(pid)) parts.push(pid)
  parts.push(countOf(target.threads, 'thread'), ...stopText(target.stop))
  if (target.glibc) {
    const from = { 'debug-info': 'debug info', table: 'known layout', probe: 'layout by probing' }
    parts.push(`glibc ${printable(target.glibc.version ?? 'unknown')} (${from[target.glibc.layoutFrom]})`)
  } else if (!isLoading) parts.push('no glibc malloc found')
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

function headerText({ loading, live, size }: TuiState, report: Report, paint: Paint): string {
  const width = size.columns
  const badge = verdictBadge(report, paint)
  const target = targetText(report, loading !== null, live?.process)
  const room = width - widthOf(badge) - 2
  if (room < 12) return clipRow(badge, width)
  return `${fitRow(` ${paint.title(clip(target, room - 1))}`, room)} ${badge}`
}

/** The tabs, and whether the target lives where there is room for it. */
function tabsLine(state: TuiState, session: Session, paint: Paint): string {
  const { text, width } = tabsText(state, paint)
  const live = session.isLive ? (state.refreshing ? 'refreshing …' : 'live · r') : ''
  return width + live.length + 3 <= state.size.columns ? `${text}   ${paint.dim(live)}` : text
}

const PROMPTS = { command: ':', find: 'find: ', filter: 'show only: ' } as const
const PROMPT_HINTS = {
  command: 'address, arena N, chunk ADDRESS, find TEXT, a pane … Tab completes',
  find: 'text, 0xPOINTER, or bytes: de ad be ef',
  filter: 'rows with this text; empty shows all',
} as const

function promptText({ kind, text, choices }: Prompt, width: number, paint: Paint): string {
  const typed = printable(text)
  const label = PROMPTS[kind]
  const over = Math.max(0, widthOf(typed) - (width - label.length - 3))
  const more = typed === '' ? PROMPT_HINTS[kind] : choices.map((choice) => choice.trim()).join('  ')
  return ` ${label}${typed.slice(over)}${paint.selected('_')}${more === '' ? '' : paint.dim(`  ${printable(more)}`)}`
}

function liveText({ live, everySeconds }: TuiState): string {
  if (!live) return ''
  const every = everySeconds === null ? 'r refreshes, R does so every 5 s' : `every ${everySeconds} s`
  return ` read ${live.ageSeconds} s ago · ${every}`
}

function statusText(state: TuiState, paint: Paint): string {
  const width = state.size.columns
  const { prompt, notice, find, loading } = state
  if (prompt !== null) return promptText(prompt, width, paint)
  if (notice) {
    const text = clip(`${notice.kind === 'error' ? 'error: ' : ''}${printable(notice.text)}`, width - 1)
    return ` ${notice.kind === 'error' ? paint.error(text) : text}`
  }
  if (find?.isRunning)
    return ` looking for ${printable(find.text)} … ${Math.floor(find.fraction * 100)} % · Esc ends it`
  if (loading)
    return ` ${printable(loading.text)} · ${Math.floor(loading.fraction * 100)} % · numbers are still missing`
  if (state.exporting) return ` writing ${printable(state.exporting.file)} …`
  return paint.dim(liveText(state))
}

const CLOSE: readonly KeyHelp[] = [{ keys: 'any key', does: 'close' }]
const DIALOG_HINTS: Readonly<Record<Dialog['phase'], readonly KeyHelp[]>> = {
  preparing: [{ keys: 'Esc', does: 'leave it' }],
  asking: [
    { keys: 'y', does: 'do it' },
    { keys: 'any other key', does: 'leave it' },
  ],
  running: [{ keys: '', does: 'being done: it cannot be left now' }],
  done: CLOSE,
  failed: CLOSE,
}

function hintsOf(state: TuiState): readonly KeyHelp[] {
  if (state.dialog) return DIALOG_HINTS[state.dialog.phase]
  if (state.helpTop !== null) return helpHints(state)
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
  return {
    size: state.size,
    header: headerText(state, session.report, paint),
    tabs: clipRow(tabsLine(state, session, paint), width),
    status: clipRow(statusText(state, paint), width),
    keys: clipRow(keysText(state, paint), width),
    help: helpLines(state),
  }
}
