// How to run this command again, as a child.

import { ownPath } from '../target/gdb/own-files.js'
import { CommandError } from './exit.js'

/** A file to start and its first arguments; those of the command come after. */
export type SelfCommand = readonly [file: string, args: readonly string[]]

let own: SelfCommand | null = null

/** For the single executable, which is started without a script. */
export function provideSelfCommand(command: SelfCommand): void {
  own = command
}

/** E.g. `const [file, args] = selfCommand(); spawn(file, [...args, 'report', core])`. Throws CommandError. */
export function selfCommand(): SelfCommand {
  if (own !== null) return own
  const cli = ownPath('dist/cli.js')
  if (cli === null) throw new CommandError('dist/cli.js of this package is missing', 'npm run build makes it')
  return [process.execPath, [cli]]
}
