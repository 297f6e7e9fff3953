// C programs for tests: compiled on demand, run, and turned into cores. Everything lives in one scratch folder a run.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endWithUs } from './end-with-us.js'

/** The repository's root. */
export const ROOT = new URL('../../', import.meta.url).pathname

const CACHE = join(tmpdir(), `arena-inspect-test-programs-${process.getuid?.() ?? 0}`)

const folders: string[] = []
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** A scratch folder of this test process, removed when it ends. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'arena-inspect-test-'))
  folders.push(folder)
  return folder
}

/** Path of the program compiled from C text or from a `.c` file (path from the root); memoised by content. */
export function compile(source: string, flags: readonly string[] = []): string {
  const text = source.endsWith('.c') ? readFileSync(join(ROOT, source), 'utf8') : source
  const key = createHash('sha256').update(text).update(flags.join('\0')).digest('hex').slice(0, 16)
  mkdirSync(CACHE, { recursive: true, mode: 0o700 })
  const program = join(CACHE, key)
  if (existsSync(program)) return program
  const draft = `${program}.${process.pid}`
  execFileSync('gcc', ['-g', '-O1', '-pthread', '-xc', '-', '-o', draft, '-lm', ...flags], { input: text })
  renameSync(draft, program)
  return program
}

/** A started program that printed a line to say that it is ready. */
export interface Running {
  readonly pid: number
  /** The first line it printed. */
  readonly line: string
  readonly child: ChildProcess
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>
}

/** Starts a program and waits for its first line on stdout. Killed when the test process ends. */
export async function start(
  program: string,
  args: readonly string[] = [],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; uid?: number; detached?: boolean } = {},
): Promise<Running> {
  const child = spawn('/bin/sh', ['-c', 'ulimit -c unlimited; exec "$0" "$@"', program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...options,
    env: { ...process.env, ...options.env },
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  endWithUs(child)
  const line = await new Promise<string>((resolve, reject) => {
    let text = ''
    child.stdout!.on('data', (data: Buffer) => {
      text += data
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')))
    })
    child.once('error', reject)
    child.once('exit', (code, signal) => reject(new Error(`${program} ended early: ${code ?? signal}`)))
  })
  return {
    pid: child.pid!,
    line,
    child,
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** True when this machine writes kernel cores as plain files into the process's folder. */
export function kernelCores(): boolean {
  const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim()
  return !pattern.startsWith('|') && !pattern.includes('/')
}

/**
 * Ends a program that was started with `cwd: folder` by SIGABRT and returns its kernel core, renamed to `name`.
 * Throws when the kernel left none.
 */
export async function kernelCore(running: Running, folder: string, name: string): Promise<string> {
  const before = new Set(readdirSync(folder))
  const ended = new Promise<void>((resolve) => running.child.once('exit', () => resolve()))
  running.child.kill('SIGABRT')
  await ended
  const found = readdirSync(folder).find((file) => file.startsWith('core') && !before.has(file))
  if (!found) throw new Error(`no kernel core in ${folder}`)
  renameSync(join(folder, found), join(folder, name))
  return join(folder, name)
}

/** gdb's gcore of a process that goes on. */
export function gcore(pid: number, file: string): string {
  execFileSync('gdb', ['-nx', '-batch', '-p', String(pid), '-ex', `generate-core-file ${file}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  return file
}
