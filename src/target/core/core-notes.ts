// The notes of a core: threads, process, auxiliary vector, mapped files.
import { type Address, address } from '../../memory/address.js'
import type { ByteSource } from '../elf/byte-source.js'
import { type Note, noteBytes, notes } from '../elf/notes.js'
import { type FileMapping, fileMappings } from './file-mappings.js'
import { CURRENT_SIGNAL, type NoteLayout } from './note-layouts.js'
import type { NoteRange } from './segments.js'

/** AT_ keys of elf.h. */
export const AUXV = { PHDR: 3, PAGESZ: 6, ENTRY: 9, EXECFN: 31, SYSINFO_EHDR: 33 } as const

/** SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH: they end no process; gcore records them. */
const HARMLESS_SIGNALS = new Set([0, 17, 18, 19, 20, 21, 22, 23, 28])

/** One NT_PRSTATUS with the notes that follow it. */
export interface ThreadNote {
  readonly tid: number
  readonly stackPointer: Address
  threadPointer: Address | null
  readonly selector: number | null
}

/** All that is used of a core's notes. */
export interface CoreNotes {
  readonly threads: readonly ThreadNote[]
  readonly pid: number | null
  /** pr_fname: the first 15 bytes of the process's name. */
  readonly name: string | null
  /** pr_psargs: the first 79 bytes of the command line, blanks between the arguments. */
  readonly commandLine: string | null
  /** The signal that ended the process. */
  readonly signal: number | null
  readonly auxv: ReadonlyMap<number, bigint>
  readonly files: readonly FileMapping[]
  readonly problems: readonly string[]
}

const NT = {
  PRSTATUS: 1,
  PRPSINFO: 3,
  AUXV: 6,
  I386_TLS: 0x200,
  ARM_TLS: 0x401,
  FILE: 0x46494c45,
  SIGINFO: 0x53494749,
} as const

const KIB = 1024
const LIMITS = new Map<number, number>([
  [NT.PRSTATUS, 4 * KIB],
  [NT.PRPSINFO, 4 * KIB],
  [NT.AUXV, 64 * KIB],
  [NT.I386_TLS, 4 * KIB],
  [NT.ARM_TLS, 4 * KIB],
  [NT.SIGINFO, 4 * KIB],
  [NT.FILE, 64 * KIB * KIB],
])
const MAX_NOTE_SPACE = 2 ** 30

const NO_THREADS =
  'the core has no readable note of a thread (NT_PRSTATUS), so stacks cannot be told from other memory; ' +
  'the kernel and gdb write them: take the next core with one of these'
const NO_FILES =
  'the core has no readable note of mapped files (NT_FILE), so programs and libraries, and libc with its arenas, ' +
  'cannot be found; the kernel and gdb write it: take the next core with one of these'

type Draft = { -readonly [K in keyof CoreNotes]: CoreNotes[K] } & {
  threads: ThreadNote[]
  auxv: Map<number, bigint>
  problems: string[]
  currentSignal: number | null
}

/** Reads the notes of a core; damage becomes sentences in `problems`. */
export function readCoreNotes(
  source: ByteSource,
  ranges: readonly NoteRange[],
  layout: NoteLayout,
): CoreNotes {
  const draft: Draft = {
    threads: [],
    pid: null,
    name: null,
    commandLine: null,
    signal: null,
    currentSignal: null,
    auxv: new Map(),
    files: [],
    problems: [],
  }
  for (const range of ranges) {
    if (!Number.isSafeInteger(range.position) || range.bytes > MAX_NOTE_SPACE) {
      draft.problems.push('the notes of the core have an impossible position or size and are not read')
      continue
    }
    const walk = notes(source, range.position, range.bytes, range.alignBytes)
    let step = walk.next()
    for (; !step.done; step = walk.next()) take(draft, source, step.value, layout)
    if (step.value) draft.problems.push(`${step.value}; what follows is not known`)
  }
  draft.signal ??= draft.currentSignal
  if (draft.signal !== null && HARMLESS_SIGNALS.has(draft.signal)) draft.signal = null
  if (draft.threads.length === 0) draft.problems.push(NO_THREADS)
  if (draft.files.length === 0) draft.problems.push(NO_FILES)
  return draft
}

function take(draft: Draft, source: ByteSource, note: Note, layout: NoteLayout): void {
  const limit = LIMITS.get(note.type)
  const owner = note.type === NT.I386_TLS || note.type === NT.ARM_TLS ? 'LINUX' : 'CORE'
  if (limit === undefined || note.name !== owner) return
  const bytes = noteBytes(source, note, limit)
  if (!bytes) {
    draft.problems.push(
      `a note of type 0x${note.type.toString(16)} and ${note.bytes} bytes could not be read`,
    )
    return
  }
  const view = new DataView(bytes.buffer)
  if (note.type === NT.PRSTATUS) takeThread(draft, view, layout)
  else if (note.type === NT.PRPSINFO) takeProcess(draft, view, layout)
  else if (note.type === NT.AUXV) takeAuxv(draft, view, layout)
  else if (note.type === NT.SIGINFO && bytes.length >= 4) draft.signal ??= view.getInt32(0, true)
  else if (note.type === NT.FILE && draft.files.length === 0) {
    draft.files = fileMappings(bytes, layout.wordBytes, draft.problems)
  } else if (note.type === NT.ARM_TLS || note.type === NT.I386_TLS) takeThreadPointer(draft, view, note.type)
}

function takeThread(draft: Draft, view: DataView, layout: NoteLayout): void {
  const needed = Math.max(layout.stackPointer, layout.threadPointer ?? 0, layout.threadSelector ?? 0)
  if (view.byteLength < needed + layout.wordBytes) {
    draft.problems.push(`a note of a thread has ${view.byteLength} bytes only and is left out`)
    return
  }
  draft.currentSignal ??= view.getUint16(CURRENT_SIGNAL, true)
  draft.threads.push({
    tid: view.getInt32(layout.tid, true),
    stackPointer: address(word(view, layout.stackPointer, layout.wordBytes)),
    threadPointer:
      layout.threadPointer === null ? null : address(word(view, layout.threadPointer, layout.wordBytes)),
    selector: layout.threadSelector === null ? null : view.getUint32(layout.threadSelector, true),
  })
}

function takeThreadPointer(draft: Draft, view: DataView, type: number): void {
  const thread = draft.threads.at(-1)
  if (!thread || thread.threadPointer !== null) return
  if (type === NT.ARM_TLS) {
    if (view.byteLength >= 8) thread.threadPointer = address(view.getBigUint64(0, true))
    return
  }
  // struct user_desc: entry_number, base_addr, limit, flags; 32 bits each.
  for (let at = 0; at + 16 <= view.byteLength; at += 16) {
    if (view.getUint32(at, true) !== (thread.selector ?? 0) >> 3) continue
    thread.threadPointer = address(view.getUint32(at + 4, true))
  }
}

function takeProcess(draft: Draft, view: DataView, layout: NoteLayout): void {
  if (draft.pid !== null || view.byteLength < layout.arguments) return
  draft.pid = view.getInt32(layout.pid, true)
  draft.name = text(view, layout.fileName, 16)
  draft.commandLine = text(view, layout.arguments, 80)?.trim() || null
}

function takeAuxv(draft: Draft, view: DataView, layout: NoteLayout): void {
  const { wordBytes } = layout
  for (let at = 0; at + 2 * wordBytes <= view.byteLength; at += 2 * wordBytes) {
    const key = Number(word(view, at, wordBytes))
    if (key === 0) return
    if (!draft.auxv.has(key)) draft.auxv.set(key, word(view, at + wordBytes, wordBytes))
  }
}

function word(view: DataView, at: number, wordBytes: 8 | 4): bigint {
  return wordBytes === 8 ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true))
}

function text(view: DataView, at: number, limit: number): string | null {
  const bytes = new Uint8Array(view.buffer, at, Math.max(0, Math.min(limit, view.byteLength - at)))
  const end = bytes.indexOf(0)
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end)) || null
}
