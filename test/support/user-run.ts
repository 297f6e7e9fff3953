// Runs a program as a user's shell would: without what the test runner puts into the environment of its children.
import { type SpawnSyncOptions, type SpawnSyncReturns, spawnSync } from 'node:child_process'

/** Its command line; the runner's own preload comes by NODE_OPTIONS, whatever `env` says. */
export function asUser(command: readonly string[]): string[] {
  return ['/usr/bin/env', '-u', 'NODE_OPTIONS', ...command]
}

/** Runs `command` to its end with an environment of little; `env` is added to it. */
export function runAsUser(
  command: readonly string[],
  { env, ...options }: SpawnSyncOptions = {},
): SpawnSyncReturns<string> {
  const [file, ...args] = asUser(command)
  const { PATH, HOME, TMPDIR } = process.env
  return spawnSync(file!, args, {
    maxBuffer: 64 << 20,
    ...options,
    encoding: 'utf8',
    env: { PATH, HOME, ...(TMPDIR === undefined ? {} : { TMPDIR }), ...env },
  })
}
