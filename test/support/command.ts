// The built command, run as a user runs it.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { endWithUs } from './end-with-us.js'
import { ROOT } from './programs.js'
import { type Ending, endingOf } from './wait-until.js'

const CLI = join(ROOT, 'dist/cli.js')

/** How a run of the command ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A run that is under way; nothing is a terminal. */
export interface Started {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  /** What it has said so far. */
  readonly stderr: () => string
  /** For what is waited for while it runs. */
  readonly ending: Ending
}

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  readonly uid?: number
  readonly gid?: number
}

/** Starts `arena-inspect` with arguments; stdin is empty and nothing is a terminal. It ends with the test. */
export function startArenaInspect(args: readonly string[], options: CommandOptions = {}): Started {
  if (!existsSync(CLI)) execFileSync(process.execPath, [join(ROOT, '.ci/build.mjs')], { stdio: 'inherit' })
  // The test runner puts a preload of its own into every child's NODE_OPTIONS.
  const child = spawn('/usr/bin/env', ['-u', 'NODE_OPTIONS', process.execPath, CLI, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
    env: { ...cleanEnvironment(), ...options.env },
  })
  endWithUs(child)
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  return { child, ended, stderr: () => stderr, ending: endingOf(child, () => stderr) }
}

/** Runs `arena-inspect` with arguments to its end. */
export async function arenaInspect(args: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  return startArenaInspect(args, options).ended
}

// The test runner's own settings are not the user's.
function cleanEnvironment(): NodeJS.ProcessEnv {
  const { NODE_V8_COVERAGE: _, FORCE_COLOR: __, ...env } = process.env
  return env
}
