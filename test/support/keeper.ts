// A program that notices if anything of its threads is lost (test/programs/keeper.c), and what it has seen.
import { spawn } from 'node:child_process'
import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { statusOfThreads } from './control-page.js'
import { endWithUs } from './end-with-us.js'
import { compile, scratch } from './programs.js'
import { type Ending, endingOf, waitUntil } from './wait-until.js'

export const KINDS = [
  'main',
  'general',
  'xmm',
  'ymm',
  'zmm',
  'x87',
  'tile',
  'sleep',
  'poll',
  'futex',
  'select',
  'read',
  'epoll',
  'sigsuspend',
] as const
export type Kind = (typeof KINDS)[number]

const FIELDS = ['running', 'rounds', 'wrong', 'eintr'] as const
/** Each field by kind: whether it runs here, rounds done, values that were wrong, waits that ended with EINTR. */
export type KeeperPage = Readonly<Record<(typeof FIELDS)[number], Readonly<Record<Kind, number>>>>

export interface Keeper {
  readonly pid: number
  readonly page: () => KeeperPage
  /** The kinds that this processor has, of those that were wanted. */
  readonly kinds: () => readonly Kind[]
  readonly ending: Ending
  readonly end: () => void
}

/** Starts it and waits until every thread has done a round. `wanted`: its arguments, all kinds without any. */
export async function startKeeper(
  wanted: readonly string[] = [],
  program = keeperProgram(),
): Promise<Keeper> {
  const file = join(scratch(), 'page')
  const child = spawn('nice', ['-n', '5', program, file, ...wanted], { stdio: ['ignore', 'pipe', 'inherit'] })
  endWithUs(child)
  const pid = await new Promise<number>((resolve, reject) => {
    child.stdout!.once('data', (text) => resolve(Number(text)))
    child.once('exit', (code) => reject(new Error(`the keeper ended: ${code}`)))
  })
  const page = () => readPage(file)
  const keeper = {
    pid,
    page,
    kinds: () => running(page()),
    ending: endingOf(child),
    end: () => child.kill('SIGKILL'),
  }
  await waitUntil('the keeper runs', () => keeper.kinds().length > 0, keeper.ending)
  await goesOn(keeper)
  return keeper
}

export function keeperProgram(): string {
  return compile('test/programs/keeper.c', ['-pthread'])
}

/** Until every thread has done two more rounds, so that one of them began after this call; throws where one never does. */
export async function goesOn(keeper: Keeper): Promise<void> {
  const before = keeper.page()
  const late = () => {
    const { rounds } = keeper.page()
    return keeper.kinds().filter((kind) => rounds[kind] < before.rounds[kind] + 2)
  }
  const noneIsLate = () => late().length === 0
  await waitUntil('the keeper goes on', noneIsLate, keeper.ending).catch((error: Error) => {
    const states = statusOfThreads(keeper.pid, 'State').join()
    throw new Error(`${error.message}: ${late().join()} stands still; threads of ${keeper.pid}: ${states}`)
  })
}

/** What is not as it was before anybody touched the process: nothing, when all is well. */
export function lost(keeper: Keeper): string[] {
  const { wrong } = keeper.page()
  const values = KINDS.filter((kind) => wrong[kind] > 0).map((kind) => `${kind}: ${wrong[kind]} values wrong`)
  const threads = [
    ...statusOfThreads(keeper.pid, 'TracerPid').filter((one) => !one.endsWith(' 0')),
    ...statusOfThreads(keeper.pid, 'State').filter((one) => /[Tt] \(/.test(one)),
  ]
  return [...values, ...threads]
}

function running({ running }: KeeperPage): readonly Kind[] {
  return KINDS.filter((kind) => running[kind] === 1)
}

function readPage(file: string): KeeperPage {
  const bytes = Buffer.alloc(8 * FIELDS.length * KINDS.length)
  const fd = openSync(file, 'r')
  readSync(fd, bytes, 0, bytes.length, 0)
  closeSync(fd)
  const at = (field: number, kind: number) => Number(bytes.readBigUInt64LE(8 * (field * KINDS.length + kind)))
  const byKind = (field: number) => Object.fromEntries(KINDS.map((kind, index) => [kind, at(field, index)]))
  return Object.fromEntries(FIELDS.map((field, index) => [field, byKind(index)])) as unknown as KeeperPage
}
