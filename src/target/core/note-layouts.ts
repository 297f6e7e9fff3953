// Where a machine's core notes keep what is needed. Sources: linux include/uapi/linux/elfcore.h, elfcore-compat.h,
// arch/x86/include/asm/user_64.h and user_32.h, arch/arm64/include/uapi/asm/ptrace.h.
import { ELF } from '../elf/elf-header.js'
import type { Target } from '../target.js'

/** Byte offsets in the descriptors of NT_PRSTATUS and NT_PRPSINFO. */
export interface NoteLayout {
  readonly machine: Target['machine']
  readonly wordBytes: 8 | 4
  readonly tid: number
  readonly stackPointer: number
  /** x86_64: fs_base. Elsewhere the thread pointer has a note of its own. */
  readonly threadPointer: number | null
  /** i386: the gs selector, which names an entry of NT_386_TLS. */
  readonly threadSelector: number | null
  readonly pid: number
  readonly fileName: number
  readonly arguments: number
}

/** Of NT_PRSTATUS: pr_cursig, 16 bits, the same on every machine. */
export const CURRENT_SIGNAL = 12

const LP64 = { wordBytes: 8, tid: 32, pid: 24, fileName: 40, arguments: 56 } as const

/** The layout for e_machine and the word size; null when it is not supported. */
export function noteLayout(machine: number, wordBytes: 8 | 4): NoteLayout | null {
  if (machine === ELF.EM_X86_64 && wordBytes === 8) {
    const register = (index: number) => 112 + 8 * index
    return {
      ...LP64,
      machine: 'x86_64',
      stackPointer: register(19),
      threadPointer: register(21),
      threadSelector: null,
    }
  }
  if (machine === ELF.EM_AARCH64 && wordBytes === 8) {
    return {
      ...LP64,
      machine: 'aarch64',
      stackPointer: 112 + 8 * 31,
      threadPointer: null,
      threadSelector: null,
    }
  }
  if (machine === ELF.EM_386 && wordBytes === 4) {
    const register = (index: number) => 72 + 4 * index
    return {
      machine: 'i386',
      wordBytes: 4,
      tid: 24,
      stackPointer: register(15),
      threadPointer: null,
      threadSelector: register(10),
      pid: 12,
      fileName: 28,
      arguments: 44,
    }
  }
  return null
}
