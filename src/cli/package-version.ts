// The version of the installed package.
import { ownText } from '../target/gdb/own-files.js'

export function packageVersion(): string {
  return (JSON.parse(ownText('package.json') ?? '{"version":"unknown"}') as { version: string }).version
}
