// A core without anonymous memory: neither heaps nor stacks.
import { ELF } from '../elf/elf-header.js'
import { keyOf } from './address-key.js'
import type { CoreNotes } from './core-notes.js'
import type { Segments } from './segments.js'

/**
 * A sentence when no anonymous memory was to be saved although there was some, else null. The kernel then leaves
 * segments without bytes, gdb's gcore none; either way a thread's stack is missing.
 */
export function unsavedHeaps({ ranges, promised, flags }: Segments, notes: CoreNotes): string | null {
  const files = new Set(notes.files.map((file) => file.start))
  for (let i = 0; i < ranges.count; i++) {
    const writable = (flags[i]! & ELF.PF_W) !== 0
    if (writable && promised[i]! > 0 && !files.has(ranges.starts[i]!)) return null
  }
  const saved = (key: number) => {
    const index = ranges.find(key)
    return index >= 0 && key < ranges.starts[index]! + promised[index]!
  }
  if (!notes.threads.some(({ stackPointer }) => stackPointer > 0n && !saved(keyOf(stackPointer)))) return null
  return (
    'no anonymous memory was saved, so neither heaps nor stacks are in this core: bit 0 of the ' +
    "process's coredump_filter was clear; before the next core: `echo 0x33 > /proc/PID/coredump_filter`"
  )
}
