// What a command typed after `:` does.
import { address } from '../../memory/address.js'
import type { Session } from '../../session/session.js'
import { parseCommand } from './command.js'
import { openDialog, type Wish } from './dialog.js'
import { enterPane, goToAddress } from './navigation.js'
import { showArena } from './panes/arenas.js'
import { showChunk } from './panes/chunks.js'
import { EXPORT_FORMATS } from './services.js'
import { type TuiState, withNotice } from './tui-state.js'

/** Asks for another look at a live target. */
export function refresh(state: TuiState, session: Session): TuiState {
  if (!session.isLive) return withNotice(state, 'note', 'this target does not change: nothing to refresh')
  if (state.loading) return withNotice(state, 'note', 'it is still being read')
  return { ...state, refreshing: true }
}

/** Starts looking for `text` from the cursor of the Memory pane on. */
export function findText(state: TuiState, text: string): TuiState {
  const find = {
    text,
    from: state.memory.cursor,
    direction: 1,
    isRunning: true,
    fraction: 0,
    serial: (state.find?.serial ?? 0) + 1,
  } as const
  return { ...state, find }
}

/** The next (1) or the last (-1) place of what was looked for before. */
export function findNext(state: TuiState, direction: 1 | -1): TuiState {
  const { find } = state
  if (!find) return withNotice(state, 'note', 'nothing was looked for yet: / in Memory, or :find TEXT')
  return { ...state, find: { ...findText(state, find.text).find!, direction } }
}

function wish(state: TuiState, session: Session, wanted: Wish): TuiState {
  if (!session.isLive || session.report.target.kind !== 'live')
    return withNotice(state, 'error', `${wanted.what} is for live processes: this is not one`)
  return { ...state, dialog: openDialog(wanted) }
}

function exported(state: TuiState, format: string, file: string): TuiState {
  if (!EXPORT_FORMATS.includes(format))
    return withNotice(state, 'error', `"${format}" is no format: ${EXPORT_FORMATS.join(', ')}`)
  return { ...state, exporting: { format, file } }
}

/** The state after the command; an error line when `text` is none. */
export function runCommand(state: TuiState, text: string, session: Session): TuiState {
  const command = parseCommand(text, session.report)
  switch (command.kind) {
    case 'nothing':
      return state
    case 'error':
      return withNotice(state, 'error', command.text)
    case 'quit':
      return { ...state, ended: 'quit' }
    case 'help':
      return { ...state, helpTop: 0 }
    case 'refresh':
      return refresh(state, session)
    case 'pane': {
      const next = enterPane(state, command.pane)
      return command.pane === 'chunks' ? { ...next, chunks: { ...next.chunks, isAsked: true } } : next
    }
    case 'arena':
      return showArena(state, session, command.index)
    case 'chunk':
      return showChunk(state, session, command.at)
    case 'address':
      return goToAddress(
        command.view === null ? state : { ...state, memory: { ...state.memory, view: command.view } },
        session,
        address(BigInt.asUintN(64, command.at)),
      )
    case 'find':
      return findText(state, command.text)
    case 'export':
      return exported(state, command.format, command.file)
    case 'every':
      if (!session.isLive) return refresh(state, session)
      return withNotice(
        { ...state, everySeconds: command.seconds },
        'note',
        command.seconds === null ? 'no more refreshes by itself' : `refreshes every ${command.seconds} s`,
      )
    case 'mouse':
      return withNotice(
        { ...state, mouse: command.on },
        'note',
        command.on ? 'clicks and the wheel are used here' : 'the mouse is the terminal’s own again',
      )
    case 'wish':
      return wish(state, session, command.wish)
  }
}
