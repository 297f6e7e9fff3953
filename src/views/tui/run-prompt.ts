// Keys while something is typed: at `:` a command, at `/` what to look for, or which rows to show.
import type { Session } from '../../session/session.js'
import { completions } from './completions.js'
import type { Key } from './keys.js'
import { paneOf } from './panes.js'
import { completePrompt, editPrompt, type Prompt, rememberTyped } from './prompt.js'
import { findText, runCommand } from './run-command.js'
import { EXPORT_FORMATS } from './services.js'
import type { TuiState } from './tui-state.js'

/** The state after `key`. Rows are filtered while the text is typed; Esc takes that back. */
export function onPromptKey(state: TuiState, prompt: Prompt, key: Key, session: Session): TuiState {
  if (key === 'enter') return entered({ ...state, prompt: null, notice: null }, prompt, session)
  if (key === 'tab' && prompt.kind === 'command') {
    const completed = completePrompt(prompt, completions(prompt.text, session, EXPORT_FORMATS))
    return { ...state, prompt: completed, notice: null }
  }
  return { ...state, prompt: editPrompt(prompt, key, state.typed), notice: null }
}

function entered(state: TuiState, { kind, text }: Prompt, session: Session): TuiState {
  const next = { ...state, typed: rememberTyped(state.typed, kind, text) }
  if (kind === 'command') return runCommand(next, text, session)
  if (kind === 'find') return text === '' ? next : findText(next, text)
  return paneOf(state.pane).onFilter?.(next, text, session) ?? next
}
