// What stands between the chrome: a dialog, else nothing under the help, else the pane.
import { printable } from '../../format/printable.js'
import type { Session } from '../../session/session.js'
import { cell, wrap } from './columns.js'
import { type Dialog, wishTitle } from './dialog.js'
import type { Paint } from './paint.js'
import { paneOf } from './panes.js'
import { bodySize, type TuiState } from './tui-state.js'

const PHASES: Readonly<Record<Dialog['phase'], string>> = {
  preparing: 'finding out what it would do …',
  asking: 'y does it, any other key leaves it',
  running: 'being done …',
  done: 'done',
  failed: 'nothing was done, or not all of it',
}

function dialogRows(state: TuiState, dialog: Dialog, paint: Paint): string[] {
  const { columns, rows } = bodySize(state)
  const lines = dialog.lines.flatMap((line) => wrap(printable(line), columns - 4))
  const room = Math.max(0, rows - 5)
  const top = Math.min(dialog.top, Math.max(0, lines.length - room))
  const style = dialog.phase === 'failed' ? paint.error : dialog.phase === 'asking' ? paint.key : paint.title
  return [
    '',
    ` ${paint.title(cell(wishTitle(dialog.wish), columns - 2))}`,
    '',
    ...lines.slice(top, top + room).map((line) => `   ${line}`),
    '',
    ` ${style(cell(PHASES[dialog.phase], columns - 2).trimEnd())}`,
  ].slice(0, rows)
}

/** At most `bodySize(state).rows` rows. */
export function bodyRows(state: TuiState, session: Session, paint: Paint): string[] {
  if (state.dialog) return dialogRows(state, state.dialog, paint)
  return state.helpTop !== null ? [] : paneOf(state.pane).rows(state, session, paint)
}
