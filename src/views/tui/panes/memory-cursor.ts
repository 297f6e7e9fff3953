// Two lines about the word under the cursor: what holds it, and where it points.

import { printable } from '../../../format/printable.js'
import { type Address, hex } from '../../../memory/address.js'
import type { Session } from '../../../session/session.js'
import { cell } from '../columns.js'
import { asciiText, wordValue } from '../dump-text.js'
import { isMapped } from '../memory-rows.js'
import { linkUnderCursor } from '../navigation.js'
import type { Paint } from '../paint.js'
import type { TuiState } from '../tui-state.js'

function described(session: Session, at: Address): string {
  return session.describe(at).lines.map(printable).join(' · ') || 'nothing is known of this address'
}

function valueText(state: TuiState, session: Session): string {
  const { wordBytes } = session
  const read = session.read(state.memory.cursor, wordBytes)
  const value = wordValue(read, 0, wordBytes)
  if (value === null) return `unknown: ${printable(read.fault ?? 'could not be read')}`
  const link = linkUnderCursor(state, session)
  if (link?.isMangled) {
    const { name, target } = link
    const leads =
      target === 0n ? 'the end of the list' : `${hex(target)} ${described(session, target as Address)}`
    return `${hex(value)}, ${name} under safe-linking → ${leads}`
  }
  const symbol = state.symbols.get(value)
  const name = symbol ? ` <${printable(symbol)}>` : ''
  if (isMapped(session, value)) return `${hex(value)}${name} → ${described(session, value as Address)}`
  if (value === 0n) return '0x0, no pointer'
  const isText = /[\x20-\x7e]{4}/.test(String.fromCharCode(...read.bytes))
  const letters = isText ? `, "${asciiText(read, 0, wordBytes)}"` : ''
  return `${hex(value)} = ${value.toLocaleString('en-US')}${letters}, no pointer`
}

/** `0x… what it is in` and `value → what that points to`. */
export function cursorRows(state: TuiState, session: Session, paint: Paint): string[] {
  const { cursor } = state.memory
  const width = state.size.columns
  const about = (label: string, text: string) =>
    `${paint.key(label)}${cell(text, Math.max(0, width - label.length))}`
  return [
    about(' at    ', `${hex(cursor)} ${described(session, cursor)}`),
    about(' value ', valueText(state, session)),
  ]
}
