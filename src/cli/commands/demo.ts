// `arena-inspect demo`: makes the incident (many arenas, little use), takes its core and opens it.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { bytesText } from '../../format/sizes.js'
import { ownPath } from '../../target/gdb/own-files.js'
import { CommandError, type ExitCode, UsageError } from '../exit.js'
import { say } from '../terminal.js'

export interface DemoOptions {
  readonly arenas: string
  readonly mib: string
  readonly keep?: boolean
}

const READY_MS = 120_000

/** Runs the demo; `openCore` is what the bare command does with a core. */
export async function runDemo(
  options: DemoOptions,
  openCore: (core: string) => Promise<ExitCode>,
): Promise<ExitCode> {
  for (const value of [options.arenas, options.mib]) {
    if (!/^[1-9]\d{0,3}$/.test(value))
      throw new UsageError(`not a number: ${value}`, 'see arena-inspect demo --help')
  }
  const folder = mkdtempSync(join(tmpdir(), 'arena-inspect-demo-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  process.once('exit', options.keep ? () => {} : remove)
  const program = build(folder)
  say(
    `demo: ${options.arenas} threads allocate ${options.mib} MiB each and free 99 % of it, each from its own arena …`,
  )
  const core = await makeCore(program, folder, options)
  const kept = options.keep ? 'kept' : 'removed at the end; --keep keeps it'
  say(
    `demo: its core is ${core} (${bytesText(statSync(core).size)}, ${kept}); opening it as \`arena-inspect ${core}\` does`,
  )
  return openCore(core)
}

function build(folder: string): string {
  const source = ownPath('examples/programs/arena-bloat.c')
  if (source === null) throw new CommandError('the examples of this package are missing', 'install it again')
  const program = join(folder, 'arena-bloat')
  const result = spawnSync('gcc', ['-g', '-O1', '-pthread', source, '-o', program, '-lm'], {
    encoding: 'utf8',
  })
  if (result.error)
    throw new CommandError('the demo needs a C compiler and found no gcc', 'apt-get install gcc libc6-dev')
  if (result.status !== 0) {
    throw new CommandError(
      `gcc could not build ${source}: ${result.stderr.split('\n')[0]}`,
      'apt-get install libc6-dev',
    )
  }
  return program
}

async function makeCore(program: string, folder: string, { arenas, mib }: DemoOptions): Promise<string> {
  const run = [
    'ulimit -c unlimited 2>/dev/null; exec "$0" "$@"',
    program,
    arenas,
    mib,
    '1',
    'log:16:4096',
    'demo',
  ]
  const child = spawn('/bin/sh', ['-c', ...run], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  try {
    await ready(child)
    const gcored = kernelWritesPlainCores() ? null : gcore(child.pid!, join(folder, 'core.demo'))
    child.kill('SIGABRT')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    return gcored ?? kernelCore(folder) ?? noCore()
  } finally {
    kill()
    process.off('exit', kill)
  }
}

// The program prints its pid when its heap stands.
async function ready(child: ChildProcess): Promise<void> {
  const lines = createInterface({ input: child.stdout! })
  const timeout = new Promise<'late'>((resolve) => setTimeout(resolve, READY_MS, 'late').unref())
  const first = await Promise.race([once(lines, 'line'), once(child, 'exit'), timeout])
  lines.close()
  if (first === 'late' || child.exitCode !== null || child.signalCode !== null) {
    throw new CommandError(
      'the demo program did not get ready',
      'is there enough memory? try --arenas 16 --mib 8',
    )
  }
}

function kernelWritesPlainCores(): boolean {
  const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim()
  return pattern !== '' && !pattern.startsWith('|') && !pattern.includes('/')
}

function kernelCore(folder: string): string | null {
  const found = readdirSync(folder).find((name) => /^core(\.|$)/.test(name))
  if (!found) return null
  const core = join(folder, 'core.demo')
  renameSync(join(folder, found), core)
  return core
}

// Where cores go to a handler of the system (systemd-coredump, apport), gdb writes one.
function gcore(pid: number, core: string): string {
  const result = spawnSync('gdb', ['-nx', '-batch', '-p', String(pid), '-ex', `generate-core-file ${core}`], {
    stdio: 'ignore',
  })
  if (result.error || !existsSync(core)) noCore()
  return core
}

function noCore(): never {
  throw new CommandError(
    'neither the kernel nor gdb left a core of the demo program',
    'see `cat /proc/sys/kernel/core_pattern` and `ulimit -Hc`; arena-inspect --pid needs no core',
  )
}
