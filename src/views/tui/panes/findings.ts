// Pane 7: what the rules found; each with its evidence, what puts it right, and how its rule came to it.
import type { Finding } from '../../../findings/finding.js'
import { explanationParts } from '../../../findings/rule.js'
import { RULES } from '../../../findings/rules.js'
import { printable } from '../../../format/printable.js'
import { bytesText } from '../../../format/sizes.js'
import type { Session } from '../../../session/session.js'
import { cell } from '../columns.js'
import type { Key } from '../keys.js'
import { moveInList, scrollTop } from '../list-motion.js'
import { rememberPlace } from '../navigation.js'
import { type Paint, paintFor } from '../paint.js'
import { bodySize, type Pane, type TuiState, withNotice } from '../tui-state.js'
import { findingPlace } from './finding-place.js'
import { findingRows, labelled, worstFirst } from './finding-rows.js'
import { nothingYet } from './nothing-yet.js'

const PLAIN = paintFor(false)
const SEVERITY_WIDTH = 10
/** Rows that the list leaves to the finding under the cursor, at least. */
const LEAST_PREVIEW = 8

function findingsOf(session: Session): Finding[] {
  return worstFirst(session.report.findings)
}

/** Rows of the list; the rest of the body is the finding under the cursor. */
function listRows(state: TuiState, count: number): number {
  const { rows } = bodySize(state)
  return Math.max(1, Math.min(count, Math.max(Math.floor(rows / 3), rows - LEAST_PREVIEW - 2)))
}

/** Everything about `finding`: evidence, fixes, why, the estimate, and the text of `--explain`. */
function detailRows(finding: Finding, session: Session, width: number, paint: Paint): string[] {
  const rule = RULES.find(({ name }) => name === finding.rule)
  const { why, estimate, fixes = [], nextStep } = finding
  const part = (label: string, text: string) => labelled(label, printable(text), width, paint.dim)
  const expected = estimate
    ? `${estimate.what}: ${bytesText(estimate.nowBytes)} today, then ${bytesText(estimate.lowBytes)} to ${bytesText(estimate.highBytes)}, ${bytesText(estimate.mostBytes)} at most; ${estimate.assumption}`
    : null
  const explained = rule
    ? explanationParts(rule, session.report.rules).flatMap(([label, texts]) =>
        texts.flatMap((text, index) => part(index === 0 ? label : '', text)),
      )
    : [paint.dim('   this version has no explanation of it')]
  return [
    ...findingRows(finding, width, paint),
    ...(fixes.length > 0 ? part('next step', nextStep) : []),
    ...(why === undefined ? [] : part('why', why)),
    ...(expected === null ? [] : part('expect', expected)),
    '',
    paint.title(` The rule ${printable(finding.rule)}`),
    ...explained,
  ]
}

function highestDetail(state: TuiState, session: Session, finding: Finding | undefined): number {
  const { columns, rows } = bodySize(state)
  return finding ? Math.max(0, detailRows(finding, session, columns, PLAIN).length - (rows - 1)) : 0
}

function withCursor(state: TuiState, session: Session, cursor: number): TuiState {
  const findings = findingsOf(session)
  const at = Math.max(0, Math.min(findings.length - 1, cursor))
  const { top, detail } = state.findings
  const shown =
    detail === null || findings.length === 0
      ? null
      : Math.min(at === state.findings.cursor ? detail : 0, highestDetail(state, session, findings[at]))
  return {
    ...state,
    findings: {
      cursor: at,
      top: scrollTop(top, at, findings.length, listRows(state, findings.length)),
      detail: shown,
    },
  }
}

function enter(state: TuiState, session: Session): TuiState {
  const finding = findingsOf(session)[state.findings.cursor]
  if (!finding) return withNotice(state, 'note', 'there is no finding to open')
  if (state.findings.detail !== null) return findingPlace(finding, state, session)
  return { ...rememberPlace(state), findings: { ...state.findings, detail: 0 } }
}

function onKey(state: TuiState, key: Key, session: Session): TuiState | null {
  const { cursor, detail } = state.findings
  if (key === 'enter') return enter(state, session)
  if (key === 'right' || key === 'l') return withCursor(state, session, cursor + 1)
  if (key === 'left' || key === 'h') return withCursor(state, session, cursor - 1)
  const findings = findingsOf(session)
  if (detail === null) {
    const at = moveInList(key, cursor, findings.length, listRows(state, findings.length))
    return at === null ? null : withCursor(state, session, at)
  }
  const highest = highestDetail(state, session, findings[cursor])
  const top = moveInList(key, detail, highest + 1, bodySize(state).rows - 1)
  return top === null ? null : { ...state, findings: { ...state.findings, detail: top } }
}

function listed(finding: Finding, isSelected: boolean, width: number, paint: Paint): string {
  const tag = finding.severity.toUpperCase()
  const title = cell(printable(finding.title), Math.max(0, width - SEVERITY_WIDTH - 2))
  if (isSelected) return paint.selected(`▸${cell(tag, SEVERITY_WIDTH)} ${title}`)
  const space = ' '.repeat(Math.max(0, SEVERITY_WIDTH - tag.length - 2))
  return `${paint.severity[finding.severity](` ${tag} `)}${space} ${title}`
}

/** What of `rows` fits from `top` on, the last line telling how much does not. */
function window(rows: readonly string[], top: number, room: number, more: string, paint: Paint): string[] {
  const shown = rows.slice(top, top + room)
  const below = rows.length - top - room
  if (below > 0 && room > 0) shown[room - 1] = paint.dim(` ↓ ${below + 1} more lines${more}`)
  return shown
}

/** The findings: Enter unfolds one, Enter again goes to what it speaks of. */
export const findingsPane: Pane = {
  id: 'findings',
  title: 'Findings',
  help: [
    { keys: 'Enter', does: 'all of a finding; then the arenas, threads or memory it speaks of' },
    { keys: 'h l ← →', does: 'finding before, finding after' },
    { keys: 'Esc', does: 'back to the list' },
  ],
  hints: [
    { keys: 'Enter', does: 'open, then go there' },
    { keys: 'h l', does: 'before/after' },
    { keys: 'Esc', does: 'back' },
  ],
  onKey,
  onClick(state, row, _column, session) {
    const { cursor, top, detail } = state.findings
    const at = top + row - 1
    if (detail !== null || row < 1 || row > listRows(state, findingsOf(session).length)) return state
    return at === cursor ? enter(state, session) : withCursor(state, session, at)
  },
  copyable(state, session) {
    const finding = findingsOf(session)[state.findings.cursor]
    return { address: null, row: finding ? `${finding.title}: ${finding.nextStep}` : null }
  },
  settle: (state, session) => withCursor(state, session, state.findings.cursor),

  rows(state, session, paint) {
    const { columns, rows } = bodySize(state)
    const findings = findingsOf(session)
    if (findings.length === 0) return ['', ` ${nothingYet(state) ?? 'no rule found anything to say'}`]
    const { cursor, top, detail } = state.findings
    const finding = findings[cursor]!
    const all = detailRows(finding, session, columns, paint)
    const place = `${cursor + 1}/${findings.length}`
    if (detail !== null) {
      const title = ` finding ${place} · ${printable(finding.rule)}`
      return [paint.title(cell(title, columns)), ...window(all, detail, rows - 1, '', paint)].slice(0, rows)
    }
    const page = listRows(state, findings.length)
    const list = findings
      .slice(top, top + page)
      .map((each, index) => listed(each, top + index === cursor, columns, paint))
    const heading = `  severity   finding  ${place}`
    return [
      paint.title(cell(heading, columns)),
      ...list,
      '',
      ...window(all, 0, rows - page - 2, ' · Enter shows all', paint),
    ].slice(0, rows)
  },
}
