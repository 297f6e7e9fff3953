// Threads of a running process as /proc/PID/task tells them, without attaching.
import { readdirSync } from 'node:fs'
import { type Address, address } from '../../memory/address.js'
import type { Thread } from '../target.js'
import { readTextOrNull } from './proc-file.js'

/**
 * Threads by tid (as this machine's /proc numbers them). A thread that ends meanwhile is left out. The stack pointer is
 * null for a thread that is running just now and where the kernel does not show it; thread pointers are always null.
 * Throws the errno error when the process is gone.
 */
export function readThreads(pid: number): Thread[] {
  const tids = readdirSync(`/proc/${pid}/task`).map(Number)
  const threads: Thread[] = []
  for (const tid of tids.sort((a, b) => a - b)) {
    const comm = readTextOrNull(`/proc/${pid}/task/${tid}/comm`)
    if (comm === null) continue
    const syscall = readTextOrNull(`/proc/${pid}/task/${tid}/syscall`)
    threads.push({
      tid,
      name: comm.endsWith('\n') ? comm.slice(0, -1) : comm,
      stackPointer: syscall === null ? null : parseStackPointer(syscall),
      threadPointer: null,
    })
  }
  return threads
}

/** The stack pointer in a /proc/PID/task/TID/syscall text (the last word but one), or null for `running`. */
export function parseStackPointer(text: string): Address | null {
  const words = text.trim().split(/\s+/)
  const word = words.length >= 3 ? words.at(-2)! : ''
  if (!/^0x[0-9a-f]{1,16}$/.test(word) || BigInt(word) === 0n) return null
  return address(BigInt(word))
}
