// Threads whose stacks were written as zeros by who made the core.
import type { MemorySource } from '../../memory/memory-source.js'
import type { Target, Thread } from '../target.js'

// More than a frame: what a thread that runs has at its stack pointer is never all zero (its callers are there).
const LOOK_BYTES = 4096

/**
 * A sentence when stacks are zeros, else null. gdb 13's gcore does so to processes with glibc 2.42 or newer: their
 * stacks are one mapping with unreadable guard pages in it (MADV_GUARD_INSTALL), and a mapping that gcore cannot read
 * whole it writes as zeros. On x86 the thread's own block of data, which begins with its address, is zero too.
 */
export function lostStacks(
  threads: readonly Thread[],
  memory: MemorySource,
  machine: Target['machine'],
): string | null {
  const lost = threads.filter((thread) => isLost(thread, memory, machine)).length
  if (lost === 0) return null
  const which = lost === 1 ? 'the stack of 1 thread is' : `the stacks of ${lost} threads are`
  return (
    `${which} zeros in this core, and so is what these threads keep of malloc (gdb 13's gcore does that to programs ` +
    'with glibc 2.42 or newer): take a kernel core (`kill -ABRT PID`), or use a newer gdb for gcore (18.1 is right)'
  )
}

function isLost(thread: Thread, memory: MemorySource, machine: Target['machine']): boolean {
  const { stackPointer, threadPointer } = thread
  if (stackPointer === null) return false
  const bytes = new Uint8Array(LOOK_BYTES)
  const got = memory.read(stackPointer, bytes)
  if (got === 0 || bytes.subarray(0, got).some((byte) => byte !== 0)) return false
  if (machine === 'aarch64' || threadPointer === null) return true
  const word = bytes.subarray(0, machine === 'i386' ? 4 : 8)
  return memory.read(threadPointer, word) < word.length || word.every((byte) => byte === 0)
}
