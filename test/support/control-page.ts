// What test/programs/control-target.c counts, and what a process has that a call must leave as it was.
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs'
import { type MallocState, readHeapModel } from '../../src/malloc/read-heap-model.js'
import { openSymbols } from '../../src/target/gdb/open-symbols.js'
import { openLive } from '../../src/target/live/open-live.js'
import type { Symbols, Target } from '../../src/target/target.js'

const NAMES = ['beats', 'operations', 'damage', 'interrupted', 'lines', 'sent', 'received'] as const

export type ControlPage = Readonly<Record<(typeof NAMES)[number], number>>

/** The counters now. */
export function controlPage(file: string): ControlPage {
  const bytes = Buffer.alloc(8 * NAMES.length)
  const fd = openSync(file, 'r')
  readSync(fd, bytes, 0, bytes.length, 0)
  closeSync(fd)
  const entries = NAMES.map((name, index) => [name, Number(bytes.readBigUInt64LE(8 * index))])
  return Object.fromEntries(entries) as ControlPage
}

// shrink_heap() opens it for a moment, in any thread that frees.
const GLIBCS_OWN = '/proc/sys/vm/overcommit_memory'

/** File descriptors with what they are and their flags, but for positions, which move by themselves. */
export function descriptors(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      const file = readlinkSync(`/proc/${pid}/fd/${fd}`)
      if (file === GLIBCS_OWN) return []
      const flags = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))?.[1]
      return [`${fd} ${file} ${flags}`]
    } catch (error) {
      // Closed since it was listed.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  })
}

/** A field of each thread's status, e.g. SigBlk. */
export function statusOfThreads(pid: number, field: string): string[] {
  return readdirSync(`/proc/${pid}/task`).map((tid) => {
    const text = readFileSync(`/proc/${pid}/task/${tid}/status`, 'utf8')
    return `${tid} ${new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(text)?.[1]}`
  })
}

/** The process that traces it now; 0 for none. */
export function tracerOf(pid: number): number {
  return Number(/^TracerPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1])
}

/** A live process whose malloc was read, as the commands have it. */
export interface Opened {
  readonly target: Target
  readonly symbols: Symbols
  readonly malloc: MallocState
  close(): Promise<void>
}

export async function openControlled(pid: number): Promise<Opened> {
  const target = openLive(pid)
  const symbols = await openSymbols(target)
  const malloc = await readHeapModel(target, symbols)
  if (!malloc) throw new Error('no glibc malloc was found')
  const close = async () => {
    await symbols.close()
    target.close()
  }
  return { target, symbols, malloc, close }
}
