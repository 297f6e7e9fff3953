// Writes synthetic ELF cores and small ELF images: every oddity a test wants, and nothing checked.

/** One PT_LOAD. What is claimed in its header may differ from the bytes written. */
export interface FakeSegment {
  readonly address: bigint
  /** Bytes in the file; none by default. */
  readonly bytes?: Uint8Array
  /** p_memsz; the length of `bytes` by default. */
  readonly memoryBytes?: bigint | number
  /** p_flags; PF_R | PF_W by default. */
  readonly flags?: number
  /** p_filesz when it shall not be the length of `bytes`. */
  readonly claimedBytes?: bigint | number
  /** p_offset when it shall not be where `bytes` were written. */
  readonly claimedOffset?: bigint | number
}

/** One note; `claimedBytes` is n_descsz when it shall lie. */
export interface FakeNote {
  readonly name: string
  readonly type: number
  readonly bytes: Uint8Array
  readonly claimedBytes?: number
}

/** A core. 64-bit x86_64 with e_phnum as it is by default. */
export interface FakeCore {
  readonly machine?: number
  readonly wordBytes?: 8 | 4
  readonly type?: number
  readonly bigEndian?: boolean
  readonly segments?: readonly FakeSegment[]
  readonly notes?: readonly FakeNote[]
  /** PN_XNUM in e_phnum, the count in sh_info of a section 0 at the end of the file, as the kernel does it. */
  readonly extendedCount?: boolean
}

/** A little-endian writer of halves, words and target words. */
class Writer {
  readonly view: DataView
  constructor(
    readonly bytes: Uint8Array,
    readonly wordBytes: 8 | 4,
    readonly little = true,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
  half(at: number, value: number): void {
    this.view.setUint16(at, value, this.little)
  }
  int(at: number, value: number): void {
    this.view.setUint32(at, value, this.little)
  }
  word(at: number, value: bigint | number): void {
    if (this.wordBytes === 4) this.int(at, Number(BigInt.asUintN(32, BigInt(value))))
    else this.view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), this.little)
  }
}

interface HeaderFields {
  readonly type: number
  readonly machine: number
  readonly count: number
  readonly sectionsAt: number
}

const headerBytes = (wordBytes: 8 | 4) => (wordBytes === 8 ? 64 : 52)
const entryBytes = (wordBytes: 8 | 4) => (wordBytes === 8 ? 56 : 32)
const sectionBytes = (wordBytes: 8 | 4) => (wordBytes === 8 ? 64 : 40)

/** The file of a core, notes straight after the program headers as the kernel writes them. */
export function elfCore(core: FakeCore): Uint8Array {
  const wordBytes = core.wordBytes ?? 8
  const segments = core.segments ?? []
  const notes = concat((core.notes ?? []).map(noteBytes))
  const count = segments.length + 1
  const notesAt = headerBytes(wordBytes) + count * entryBytes(wordBytes)
  const saved = segments.reduce((sum, segment) => sum + (segment.bytes?.length ?? 0), 0)
  const dataAt = align(notesAt + notes.length, 16)
  const sectionsAt = core.extendedCount ? align(dataAt + saved, 8) : 0
  const size = sectionsAt ? sectionsAt + sectionBytes(wordBytes) : dataAt + saved
  const out = new Writer(new Uint8Array(size), wordBytes, !core.bigEndian)
  writeHeader(out, {
    type: core.type ?? 4,
    machine: core.machine ?? 62,
    count: core.extendedCount ? 0xffff : count,
    sectionsAt,
  })
  if (sectionsAt) out.int(sectionsAt + (wordBytes === 8 ? 44 : 28), count)
  const table = headerBytes(wordBytes)
  writeEntry(out, table, {
    type: 4,
    flags: 0,
    offset: notesAt,
    address: 0n,
    file: notes.length,
    memory: 0,
    align: 4,
  })
  out.bytes.set(notes, notesAt)
  let at = dataAt
  for (const [i, segment] of segments.entries()) {
    const bytes = segment.bytes ?? new Uint8Array()
    writeEntry(out, table + (i + 1) * entryBytes(wordBytes), {
      type: 1,
      flags: segment.flags ?? 6,
      offset: segment.claimedOffset ?? at,
      address: segment.address,
      file: segment.claimedBytes ?? bytes.length,
      memory: segment.memoryBytes ?? bytes.length,
      align: 4096,
    })
    out.bytes.set(bytes, at)
    at += bytes.length
  }
  return out.bytes
}

/** The first page of an ELF image: header, PT_LOADs, and a PT_NOTE with a build-id (hex) unless that is null. */
export function elfImage(image: {
  readonly type?: number
  readonly machine?: number
  readonly loads: readonly {
    readonly offset: number
    readonly address: bigint
    readonly bytes: number
    readonly flags: number
  }[]
  readonly buildId: string | null
}): Uint8Array {
  const out = new Writer(new Uint8Array(4096), 8)
  const count = image.loads.length + (image.buildId === null ? 0 : 1)
  writeHeader(out, { type: image.type ?? 3, machine: image.machine ?? 62, count, sectionsAt: 0 })
  for (const [i, load] of image.loads.entries()) {
    writeEntry(out, 64 + 56 * i, {
      type: 1,
      flags: load.flags,
      offset: load.offset,
      address: load.address,
      file: load.bytes,
      memory: load.bytes,
      align: 4096,
    })
  }
  if (image.buildId !== null) {
    const note = noteBytes({ name: 'GNU', type: 3, bytes: Buffer.from(image.buildId, 'hex') })
    const base = image.loads[0]?.address ?? 0n
    const entry = 64 + 56 * image.loads.length
    const where = { offset: 2048, address: base + 2048n, file: note.length, memory: note.length }
    writeEntry(out, entry, { type: 4, flags: 4, align: 4, ...where })
    out.bytes.set(note, 2048)
  }
  return out.bytes
}

function writeHeader(out: Writer, fields: HeaderFields): void {
  const { wordBytes } = out
  const sizes = 24 + 3 * wordBytes + 4
  out.bytes.set([0x7f, 0x45, 0x4c, 0x46, wordBytes === 8 ? 2 : 1, out.little ? 1 : 2, 1])
  out.half(16, fields.type)
  out.half(18, fields.machine)
  out.int(20, 1)
  out.word(24 + wordBytes, headerBytes(wordBytes))
  out.word(24 + 2 * wordBytes, fields.sectionsAt)
  out.half(sizes, headerBytes(wordBytes))
  out.half(sizes + 2, entryBytes(wordBytes))
  out.half(sizes + 4, fields.count)
  out.half(sizes + 6, fields.sectionsAt ? sectionBytes(wordBytes) : 0)
  out.half(sizes + 8, fields.sectionsAt ? 1 : 0)
}

interface Entry {
  readonly type: number
  readonly flags: number
  readonly offset: bigint | number
  readonly address: bigint
  readonly file: bigint | number
  readonly memory: bigint | number
  readonly align: number
}

function writeEntry(out: Writer, at: number, entry: Entry): void {
  const wide = out.wordBytes === 8
  const words = [entry.offset, entry.address, 0, entry.file, entry.memory]
  out.int(at, entry.type)
  out.int(at + (wide ? 4 : 24), entry.flags)
  for (const [i, word] of words.entries()) out.word(at + (wide ? 8 : 4) + i * out.wordBytes, word)
  out.word(at + (wide ? 48 : 28), entry.align)
}

function noteBytes(note: FakeNote): Uint8Array {
  const name = Buffer.from(`${note.name}\0`)
  const descriptor = 12 + align(name.length, 4)
  const out = new Writer(new Uint8Array(descriptor + align(note.bytes.length, 4)), 4)
  out.int(0, name.length)
  out.int(4, note.claimedBytes ?? note.bytes.length)
  out.int(8, note.type)
  out.bytes.set(name, 12)
  out.bytes.set(note.bytes, descriptor)
  return out.bytes
}

/** NT_PRSTATUS of x86_64, or of aarch64 where `threadPointer` is left out. */
export function prstatus(thread: {
  readonly tid: number
  readonly signal?: number
  readonly stackPointer: bigint
  readonly threadPointer?: bigint
}): FakeNote {
  const arm = thread.threadPointer === undefined
  const out = new Writer(new Uint8Array(arm ? 392 : 336), 8)
  out.half(12, thread.signal ?? 0)
  out.int(32, thread.tid)
  out.word(112 + 8 * (arm ? 31 : 19), thread.stackPointer)
  if (thread.threadPointer !== undefined) out.word(112 + 8 * 21, thread.threadPointer)
  return { name: 'CORE', type: 1, bytes: out.bytes }
}

/** NT_PRPSINFO of a 64-bit machine. */
export function prpsinfo(pid: number, name: string, commandLine: string): FakeNote {
  const out = new Writer(new Uint8Array(136), 8)
  out.int(24, pid)
  out.bytes.set(Buffer.from(name).subarray(0, 15), 40)
  out.bytes.set(Buffer.from(commandLine).subarray(0, 79), 56)
  return { name: 'CORE', type: 3, bytes: out.bytes }
}

/** NT_AUXV of a 64-bit machine, AT_NULL added. */
export function auxv(entries: readonly (readonly [key: number, value: bigint])[]): FakeNote {
  const out = new Writer(new Uint8Array(16 * (entries.length + 1)), 8)
  for (const [i, [key, value]] of entries.entries()) {
    out.word(16 * i, key)
    out.word(16 * i + 8, value)
  }
  return { name: 'CORE', type: 6, bytes: out.bytes }
}

/** NT_FILE of a 64-bit machine with pages of 4096 bytes; `claimedCount` when its count shall lie. */
export function mappedFiles(
  files: readonly { start: bigint; end: bigint; page: number; path: string }[],
  claimedCount?: number,
): FakeNote {
  const table = new Writer(new Uint8Array(16 + 24 * files.length), 8)
  table.word(0, claimedCount ?? files.length)
  table.word(8, 4096)
  for (const [i, file] of files.entries()) {
    table.word(16 + 24 * i, file.start)
    table.word(24 + 24 * i, file.end)
    table.word(32 + 24 * i, file.page)
  }
  const paths = Buffer.from(files.map((file) => `${file.path}\0`).join(''))
  return { name: 'CORE', type: 0x46494c45, bytes: concat([table.bytes, paths]) }
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

function align(value: number, to: number): number {
  return Math.ceil(value / to) * to
}
