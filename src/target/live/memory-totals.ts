// The kernel's own sums of a process's memory, from /proc/PID/status.
import type { ProcessMemoryTotals } from '../target.js'
import { readTextOrNull } from './proc-file.js'

/** VmRSS and VmSwap of `pid`; null members where status does not have them. */
export function readMemoryTotals(pid: number): ProcessMemoryTotals {
  const text = readTextOrNull(`/proc/${pid}/status`) ?? ''
  const bytes = (name: string): number | null => {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)
    return found ? Number(found[1]) * 1024 : null
  }
  return { rssBytes: bytes('VmRSS'), swapBytes: bytes('VmSwap') }
}
