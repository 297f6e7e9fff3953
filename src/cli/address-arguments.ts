// TARGET ADDRESS on the command line: the target first, and last an address: 0xHEX, arena:N, or a variable of libc.
import { type Address, address } from '../memory/address.js'
import type { InspectedSession } from '../session/inspected-session.js'
import type { TargetChoice } from '../target/open.js'
import { CommandError, UsageError } from './exit.js'
import { chooseTarget, type TargetOptions } from './target-arguments.js'

/** The choice of `TARGET [PROGRAM] ADDRESS` and the text of its address. Throws UsageError, with `example`. */
export function chooseWithAddress(
  positional: readonly string[],
  options: TargetOptions,
  example: string,
): { choice: TargetChoice; where: string } {
  const { choice: bare, rest } = chooseTarget(positional, options)
  const withProgram = bare.kind === 'core' && rest.length === 2
  const choice = withProgram ? { ...bare, program: rest[0]! } : bare
  const [where, extra] = withProgram ? rest.slice(1) : rest
  if (where === undefined || extra !== undefined) {
    throw new UsageError('name a target and an address', `e.g. ${example}`)
  }
  return { choice, where }
}

/** The address that `text` names in the target. Throws CommandError. */
export async function addressOf(session: InspectedSession, text: string): Promise<Address> {
  const number = /^(?:0x)?([0-9a-f]{1,16})$/i.exec(text)
  if (number && (text.startsWith('0x') || /^\d/.test(text))) return address(BigInt(`0x${number[1]}`))
  const arena = /^arena:(\d+)$/.exec(text)
  if (arena) {
    const found = session.report.heap?.arenas[Number(arena[1])]
    if (found) return address(BigInt(found.address))
    throw new CommandError(`there is no arena ${arena[1]}`, 'arena-inspect arenas lists them')
  }
  const [found] = (await session.addressesOf([text.replace(/^&/, '')])).values()
  if (found !== undefined) return found
  const why = session.symbolsProblem
  throw new CommandError(
    why === null ? `${text} is no address` : `${text} is no address, or its symbol is not at hand: ${why}`,
    'give 0xHEX, arena:N, or a variable of libc such as main_arena',
  )
}
