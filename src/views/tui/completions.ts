// What Tab offers at the `:` prompt.
import type { Session } from '../../session/session.js'
import { COMMAND_WORDS } from './command.js'

/** Whole lines that begin as `text` does, or could. */
export function completions(text: string, session: Session, formats: readonly string[]): readonly string[] {
  const arenas = session.report.heap?.arenas ?? []
  if (text.startsWith('arena ')) return arenas.map(({ index }) => `arena ${index === 0 ? 'main' : index}`)
  if (text.startsWith('export ')) return formats.map((format) => `export ${format} `)
  if (text.startsWith('every ')) return ['every 1', 'every 5', 'every 60', 'every off']
  if (text.startsWith('mouse ')) return ['mouse on', 'mouse off']
  return COMMAND_WORDS
}
