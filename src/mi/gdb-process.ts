// The gdb process itself: started without anyone's init files, and never left behind.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { MiError } from './mi-error.js'

export type GdbProcess = ChildProcessByStdio<Writable, Readable, Readable>

/** Nothing a core, a program or a folder brings along may run: they can come from anyone. */
const SAFE = [
  'set auto-load off',
  'set auto-load safe-path /nonexistent',
  'set debuginfod enabled off',
  'set confirm off',
  'set pagination off',
  'set width 0',
  'set height 0',
  'set style enabled off',
  'set print thread-events off',
  'set history save off',
]

const running = new Set<GdbProcess>()

/**
 * Starts `gdbPath`; resolves once the process exists. Throws MiError `not-found` when there is no such program.
 * It has its own process group, so that Ctrl-C in the terminal stays ours; it ends with us: by the exit hook, or,
 * when we are killed, by the end of its stdin. `spared`: by the end of its stdin only.
 */
export async function startGdb(
  gdbPath: string,
  args: readonly string[],
  spared = false,
): Promise<GdbProcess> {
  const safe = SAFE.flatMap((command) => ['-iex', command])
  const child = spawn(gdbPath, ['-nx', '-q', '--interpreter=mi3', ...safe, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    env: { ...process.env, LC_ALL: 'C.UTF-8', TERM: 'dumb', DEBUGINFOD_URLS: '' },
  })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (error: NodeJS.ErrnoException) => reject(startError(gdbPath, error)))
  })
  child.on('error', () => {})
  child.stdin.on('error', () => {})
  child.stdout.on('error', () => {})
  child.stderr.on('error', () => {})
  if (spared) return child
  if (running.size === 0) process.on('exit', killAll)
  running.add(child)
  child.once('exit', () => {
    running.delete(child)
    if (running.size === 0) process.off('exit', killAll)
  })
  return child
}

/** Keeps this process alive for gdb's sake (`true`, while a command runs), or lets it end (`false`, when idle). */
export function holdEventLoop(child: GdbProcess, hold: boolean): void {
  const change = hold ? 'ref' : 'unref'
  child[change]()
  for (const stream of [child.stdin, child.stdout, child.stderr] as Partial<
    Record<typeof change, () => void>
  >[]) {
    stream[change]?.()
  }
}

/** True once the process is gone. */
export function hasEnded(child: GdbProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

/** Waits for the end of the process; false when it did not come within `ms`. */
export function waitForEnd(child: GdbProcess, ms: number): Promise<boolean> {
  if (hasEnded(child)) return Promise.resolve(true)
  return new Promise((resolve) => {
    const onExit = () => {
      clearTimeout(timer)
      resolve(true)
    }
    const timer = setTimeout(() => {
      child.off('exit', onExit)
      resolve(false)
    }, ms)
    child.once('exit', onExit)
  })
}

/** SIGTERM, then SIGKILL; never waits longer than about two seconds. */
export async function endGdb(child: GdbProcess): Promise<void> {
  holdEventLoop(child, true)
  child.kill('SIGTERM')
  if (await waitForEnd(child, 700)) return
  child.kill('SIGKILL')
  await waitForEnd(child, 1000)
}

function killAll(): void {
  for (const child of running) child.kill('SIGKILL')
}

function startError(gdbPath: string, error: NodeJS.ErrnoException): MiError {
  return gdbNotFound(
    gdbPath,
    error.code === 'ENOENT' ? '' : ` cannot be started: ${error.code ?? error.message}`,
  )
}

/** `why` is put behind the sentence; empty where there is just no such file. */
export function gdbNotFound(gdbPath: string, why: string): MiError {
  const which = gdbPath === 'gdb' ? '' : `: ${gdbPath}`
  return new MiError('not-found', '', `gdb not found${which}${why}`)
}
