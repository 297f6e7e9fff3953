// The line that is typed into: its text, what was typed before, and what could complete it.
import type { Key } from './keys.js'

export type PromptKind = 'command' | 'find' | 'filter'

export interface Prompt {
  readonly kind: PromptKind
  readonly text: string
  /** How many lines back in what was typed before; 0 is the new line, kept in `draft` meanwhile. */
  readonly back: number
  readonly draft: string
  /** What the text could become, when Tab left a choice. */
  readonly choices: readonly string[]
}

/** What was typed before, oldest first. */
export type Typed = Readonly<Record<PromptKind, readonly string[]>>

export const NOTHING_TYPED: Typed = { command: [], find: [], filter: [] }
const REMEMBERED = 100

/** An empty prompt, or one with `text` to change. */
export function openPrompt(kind: PromptKind, text = ''): Prompt {
  return { kind, text, back: 0, draft: text, choices: [] }
}

/** `typed` with one more line at its end; the same line twice in a row is kept once. */
export function rememberTyped(typed: Typed, kind: PromptKind, text: string): Typed {
  const lines = typed[kind]
  if (text.trim() === '' || lines.at(-1) === text) return typed
  return { ...typed, [kind]: [...lines, text].slice(-REMEMBERED) }
}

/** The prompt after an editing key; null closes it. */
export function editPrompt(prompt: Prompt, key: Key, typed: Typed): Prompt | null {
  const { text } = prompt
  const changed = (now: string) => openPrompt(prompt.kind, now)
  switch (key) {
    case 'escape':
      return null
    case 'backspace':
      return text === '' ? null : changed([...text].slice(0, -1).join(''))
    case 'ctrl-u':
      return changed('')
    case 'ctrl-w':
      return changed(text.replace(/\S+\s*$/, ''))
    case 'up':
    case 'ctrl-p':
      return recalled(prompt, prompt.back + 1, typed)
    case 'down':
    case 'ctrl-n':
      return recalled(prompt, prompt.back - 1, typed)
    default:
      return [...key].length === 1 ? changed(text + key) : prompt
  }
}

function recalled(prompt: Prompt, back: number, typed: Typed): Prompt {
  const lines = typed[prompt.kind]
  if (back < 0 || back > lines.length) return prompt
  const text = back === 0 ? prompt.draft : lines[lines.length - back]!
  return { ...prompt, text, back, draft: prompt.back === 0 ? prompt.text : prompt.draft, choices: [] }
}

/** The prompt after Tab: the longest start that all candidates share; they are shown when there are several. */
export function completePrompt(prompt: Prompt, candidates: readonly string[]): Prompt {
  const fitting = candidates.filter((candidate) => candidate.startsWith(prompt.text))
  if (fitting.length === 0) return prompt
  let shared = fitting[0]!
  for (const candidate of fitting) while (!candidate.startsWith(shared)) shared = shared.slice(0, -1)
  return { ...openPrompt(prompt.kind, shared), choices: fitting.length > 1 ? fitting : [] }
}
