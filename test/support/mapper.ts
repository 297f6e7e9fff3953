// test/programs/mapper.c, driven: a process that maps memory by known paths and says what it did.

import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { endWithUs } from './end-with-us.js'
import { compile, scratch } from './programs.js'
import { type Ending, endingOf, waitUntil } from './wait-until.js'

/** What it says of itself: calls and bytes in whole pages. */
export interface MapperCounts {
  readonly mmapCalls: number
  readonly mmapBytes: number
  readonly mremapCalls: number
  readonly mremapBytes: number
  readonly brkCalls: number
  readonly brkBytes: number
  readonly unmapCalls: number
  readonly unmapBytes: number
  readonly arenas: number
  readonly heaps: number
  readonly behindMs: number
}

export interface Mapper {
  readonly pid: number
  /** The file that its heartbeat writes. */
  readonly heartbeat: string
  readonly child: ChildProcess
  /** Lets it work, once it stands; its counts afterwards. */
  work(): Promise<MapperCounts>
  /** Only tells it to work. */
  go(): void
  /** Its next line. */
  line(): Promise<string>
  readonly ending: Ending
  /** Ticks of its heartbeat so far. */
  beats(): number
  end(): Promise<void>
}

/** Path of the program; its frames have no frame pointers. */
export function mapperProgram(flags: readonly string[] = []): string {
  return compile('test/programs/mapper.c', ['-fomit-frame-pointer', ...flags])
}

/** Starts it; resolves when it stands. */
export async function startMapper(
  args: readonly string[],
  options: { program?: string; env?: NodeJS.ProcessEnv; uid?: number } = {},
): Promise<Mapper> {
  const { program = mapperProgram(), env = {}, uid } = options
  const heartbeat = join(scratch(), 'heartbeat')
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    ...(uid === undefined ? {} : { uid }),
    env: { ...process.env, ...(uid === undefined ? { MAPPER_HEARTBEAT: heartbeat } : {}), ...env },
  })
  endWithUs(child)
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const ending = endingOf(child)
  const lines: string[] = []
  let text = ''
  child.stdout!.setEncoding('utf8').on('data', (more: string) => {
    const parts = (text + more).split('\n')
    text = parts.pop()!
    lines.push(...parts)
  })
  const line = async () => {
    await waitUntil('the mapper says a line', () => lines.length > 0, ending)
    return lines.shift()!
  }
  const go = () => void child.stdin!.write('go\n')
  await line()
  return {
    pid: child.pid!,
    heartbeat,
    child,
    go,
    line,
    ending,
    async work() {
      go()
      return JSON.parse(await line()) as MapperCounts
    },
    beats: () => Number(readFileSync(heartbeat).readBigUInt64LE(0)),
    async end() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
