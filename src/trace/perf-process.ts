// perf record into perf script, and what keeps both going: they tell what they have only as something happens.
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { SCRIPT_FIELDS } from './perf-script.js'
import { STACK_BYTES } from './perf-stack.js'

const MOST_ERROR_CHARACTERS = 20_000
/** Buffers of all CPUs together, and of one: a sample with its stack takes 64 KiB. */
const BUFFER_BYTES = 64 << 20
const MOST_PAGES = 1024
const LEAST_PAGES = 128
const PAGE_BYTES = 4096
const END_MS = 20_000

/** The ticker is watched too: a system call for each line it reads. When we are gone, it ends perf. */
const TICKER = `
trap '' HUP INT TERM
read -r perf || exit
while read -r tick; do kill -0 $$; done
[ "$perf" = none ] || kill -INT "$perf"
`

/** perf's own settings of the user, its pager, and downloads of debug files stay out of it. */
function environment(): NodeJS.ProcessEnv {
  const { DEBUGINFOD_URLS: _, ...env } = process.env
  return { ...env, LC_ALL: 'C', PERF_CONFIG: '/dev/null', PERF_BUILDID_DIR: '/dev/null', PAGER: 'cat' }
}

/** What is sampled, each with its filter. Sizes count in whole pages. */
export interface PerfPlan {
  readonly minimumBytes: number
  readonly pageBytes: number
  readonly brkStacksFrom: bigint
  readonly leastHeapBytes: number
  readonly cpus: number
}

/** Arguments of perf record, without the processes. */
export function recordArguments(plan: PerfPlan): string[] {
  const { minimumBytes, pageBytes, brkStacksFrom, leastHeapBytes, cpus } = plan
  const least = Math.floor(Math.max(0, minimumBytes - 1) / pageBytes) * pageBytes + Math.min(1, minimumBytes)
  const large = `len >= ${least} || (prot == 0 && flags & 16384 && len >= ${leastHeapBytes})`
  const bare = '/call-graph=no/'
  const events: readonly (readonly [event: string, filter: string | null])[] = [
    // First one with a stack: perf script walks the stacks of none if its first event has none.
    ['sys_enter_mmap', large],
    [`sys_enter_mmap${bare}`, `${large} || flags & 16`],
    [`sys_exit_mmap${bare}`, null],
    [`sys_enter_munmap${bare}`, null],
    [`sys_enter_mremap${bare}`, null],
    ['sys_enter_mremap', `new_len >= ${least}`],
    [`sys_exit_mremap${bare}`, null],
    ['sys_enter_brk', `brk >= ${brkStacksFrom}`],
    [`sys_exit_brk${bare}`, null],
    [`sys_exit_execve${bare}`, 'ret == 0'],
    [`sys_exit_execveat${bare}`, 'ret == 0'],
    // The ticker's.
    [`sys_enter_kill${bare}`, 'sig == 0'],
  ]
  const pages = Math.min(MOST_PAGES, Math.max(LEAST_PAGES, BUFFER_BYTES / PAGE_BYTES / cpus))
  return [
    ...['record', '-N', '--user-callchains', '-k', 'mono', '--no-buffering'],
    ...['-m', String(2 ** Math.floor(Math.log2(pages))), '--call-graph', `dwarf,${STACK_BYTES}`],
    ...events.flatMap(([event, filter]) => [
      '-e',
      `syscalls:${event}`,
      ...(filter === null ? [] : ['--filter', filter]),
    ]),
  ]
}

/** What a command said and how it ended; `code` null: it could not be started, or did not end by itself. */
export function runPerf(args: readonly string[], ms: number): Promise<{ code: number | null; text: string }> {
  return new Promise((resolve) => {
    const child = spawn('perf', args, { env: environment(), stdio: ['ignore', 'pipe', 'pipe'] })
    const text = textOf(child.stdout, child.stderr)
    const timer = setTimeout(() => child.kill('SIGKILL'), ms)
    child.once('error', (error) => {
      clearTimeout(timer)
      resolve({ code: null, text: error.message })
    })
    child.once('close', (code) => {
      clearTimeout(timer)
      resolve({ code, text: text() })
    })
  })
}

/** Runs until stop(), or until one of them ends. */
export class PerfProcess {
  readonly #ticker: ChildProcess
  readonly #record: ChildProcess
  readonly #script: ChildProcess
  readonly #errors: () => string
  #stopping = false
  /** Resolves when both have ended and all was told: what perf said, null when it was stopped. */
  readonly ended: Promise<string | null>

  constructor(pid: number, recordArgs: readonly string[], onText: (text: string) => void) {
    const env = environment()
    this.#ticker = spawn('/bin/sh', ['-c', TICKER], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
    const targets = this.#ticker.pid === undefined ? String(pid) : `${pid},${this.#ticker.pid}`
    this.#record = spawn('perf', [...recordArgs, '-o', '-', '--pid', targets], {
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const script = ['script', '-i', '-', '--ns', '--no-inline', '--max-stack', '4096', '--show-lost-events']
    // Its lines should not wait for more of them.
    this.#script = spawn(
      '/bin/sh',
      [
        '-c',
        'if command -v stdbuf >/dev/null; then exec stdbuf -oL "$@"; else exec "$@"; fi',
        ...['sh', 'perf', ...script, '-F', SCRIPT_FIELDS],
      ],
      { env, detached: true, stdio: [this.#record.stdout!, 'pipe', 'pipe'] },
    )
    // Only perf script reads it, so that perf record ends with it.
    this.#record.stdout!.destroy()
    this.#errors = textOf(this.#record.stderr!, this.#script.stderr!)
    this.#tell(`${this.#record.pid ?? 'none'}`)
    this.#script.stdout!.setEncoding('utf8').on('data', onText)
    const children = [this.#record, this.#script]
    this.ended = Promise.all(children.map(endOf)).then(() => {
      this.#ticker.stdin!.destroy()
      return this.#stopping ? null : firstLine(this.#errors())
    })
    process.on('exit', this.#onExit)
    void this.ended.then(() => process.off('exit', this.#onExit))
  }

  readonly #onExit = () => {
    this.#record.kill('SIGINT')
  }

  /** Makes perf tell what it has. */
  tick(): void {
    this.#tell('')
  }

  #tell(line: string): void {
    this.#ticker.stdin!.write(`${line}\n`, () => {})
  }

  /** Resolves when everything was told. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#record.kill('SIGINT')
    const timer = setTimeout(() => {
      this.#record.kill('SIGKILL')
      this.#script.kill('SIGKILL')
    }, END_MS)
    await this.ended
    clearTimeout(timer)
  }
}

function endOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('error', () => resolve())
    child.once('close', () => resolve())
  })
}

function textOf(...streams: readonly Readable[]): () => string {
  let text = ''
  for (const stream of streams) {
    stream.setEncoding('utf8').on('data', (more: string) => {
      text = (text + more).slice(0, MOST_ERROR_CHARACTERS)
    })
  }
  return () => text
}

/** The line of perf's words that tells what is wrong. */
export function firstLine(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^(Error:|Warning:|\[ perf record: |event syntax error:)$/.test(line))
  return (lines[0] ?? 'it ended without a word').replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 300)
}
