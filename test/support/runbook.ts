// Runs a runbook's script as a user does, with the built command as `arena-inspect`.
import type { SpawnSyncReturns } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { ROOT } from './programs.js'
import { runAsUser } from './user-run.js'

export const RUNBOOKS = join(ROOT, 'examples/runbooks')

/** A folder for PATH in which `arena-inspect` is the built command; more programs by name and shell text. */
export function binFolder(folder: string, programs: Readonly<Record<string, string>> = {}): string {
  const bin = join(folder, 'bin')
  mkdirSync(bin, { recursive: true })
  const own = {
    'arena-inspect': `exec '${process.execPath}' '${join(ROOT, 'dist/cli.js')}' "$@"`,
    ...programs,
  }
  for (const [name, text] of Object.entries(own)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  return bin
}

/** Runs `examples/runbooks/NAME` (or `sh -c` text) in `folder` with `bin` first in PATH. */
export function runbook(
  command: readonly string[],
  { folder, bin, env = {} }: { folder: string; bin: string; env?: NodeJS.ProcessEnv },
): SpawnSyncReturns<string> {
  const path = `${bin}${delimiter}${process.env.PATH}`
  return runAsUser(command, { cwd: folder, env: { ...env, PATH: path } })
}
