// What /proc tells of a process and its machine beside its memory; nothing here throws.
import { readFileSync } from 'node:fs'

/** What became of a process whose address space is gone. */
export type Ending = 'ended' | 'executed'

/** When the process was started, in clock ticks since boot: tells it from a successor with the same number. Null: gone. */
export function startTicks(pid: number): string | null {
  return statFields(pid)?.[19] ?? null
}

/** `executed`: the same process runs another program. `start` is `startTicks` of before. */
export function endingOf(pid: number, start: string | null): Ending {
  const fields = statFields(pid)
  // A process that ends loses its memory before its state tells of it; one that executes a program has another memory.
  const isSame = fields !== null && fields[19] === start && virtualBytes(pid) !== null
  return isSame ? 'executed' : 'ended'
}

/** Path of the program that the process runs now; null where unknown. */
export function commandNow(pid: number): string | null {
  return text(`/proc/${pid}/comm`)?.replace(/\n$/, '') ?? null
}

/** VmSize. Bytes. */
export function virtualBytes(pid: number): number | null {
  return kilobytes(text(`/proc/${pid}/status`), 'VmSize')
}

/** MemAvailable: what can still be had without swapping. Bytes. */
export function availableBytes(): number | null {
  return kilobytes(text('/proc/meminfo'), 'MemAvailable')
}

// Fields of /proc/PID/stat from the third on (state); the second may hold blanks and parentheses.
function statFields(pid: number): readonly string[] | null {
  const stat = text(`/proc/${pid}/stat`)
  return stat === null ? null : stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function kilobytes(lines: string | null, name: string): number | null {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(lines ?? '')
  return found ? Number(found[1]) * 1024 : null
}

function text(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
