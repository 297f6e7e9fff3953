// Call frame information (.eh_frame, by its index .eh_frame_hdr): where a stack ends.
import type { ByteSource } from './byte-source.js'
import { ELF, ELF_HEADER_BYTES, parseElfHeader } from './elf-header.js'
import { programHeaders } from './program-headers.js'

const PT_GNU_EH_FRAME = 0x6474_e550
/** DW_EH_PE_*: 4 signed bytes, relative to themselves or to .eh_frame_hdr. All that linkers write today. */
const PCREL_SDATA4 = 0x1b
const UDATA4 = 0x03
const DATAREL_SDATA4 = 0x3b
const ENTRY_BYTES = 8
const HEADER_BYTES = 12
const MOST_ENTRY_BYTES = 1 << 16
const OMITTED = 0xff

/** Bytes of the entry that starts at an address: of a CIE or FDE, without its length. */
interface Entry {
  readonly at: number
  readonly bytes: Cursor
}

interface Cie {
  readonly codeAlign: number
  readonly returnColumn: number
  readonly instructions: Cursor
  readonly hasData: boolean
}

/**
 * Whether the frame at `pc` has no caller: a function of which compilers and libc say that its return address is undefined,
 * as _start, clone and clone3. Null where the module tells nothing of `pc`. `image` has the module by the addresses that
 * its file gives it; `header` is where its ELF header lies there.
 */
export function isOutermost(image: ByteSource, header: number, pc: number): boolean | null {
  try {
    const table = indexOf(image, header)
    const at = table === null ? null : fdeOf(image, table, pc)
    return at === null ? null : returnIsUndefined(image, at, pc)
  } catch (error) {
    // Cut, or nothing that a linker wrote.
    if (error instanceof RangeError) return null
    throw error
  }
}

/** The image as isOutermost() takes it, out of the module's file. */
export function imageOfFile(file: ByteSource): ByteSource {
  const head = new Uint8Array(ELF_HEADER_BYTES)
  const header = parseElfHeader(head.subarray(0, file.read(0, head)))
  const loads = header ? [...programHeaders(file, header)].filter(({ type }) => type === ELF.PT_LOAD) : []
  return {
    read(position, into) {
      const load = loads.find((one) => {
        const within = position - one.virtualAddress
        return within >= 0 && within + into.length <= one.fileBytes
      })
      return load ? file.read(load.fileOffset + position - load.virtualAddress, into) : 0
    },
  }
}

function indexOf(image: ByteSource, at: number): number | null {
  const head = new Uint8Array(ELF_HEADER_BYTES)
  const header = parseElfHeader(head.subarray(0, image.read(at, head)))
  if (!header?.littleEndian) return null
  const shifted: ByteSource = { read: (position, into) => image.read(at + position, into) }
  for (const { type, virtualAddress } of programHeaders(shifted, header)) {
    if (type === PT_GNU_EH_FRAME) return virtualAddress
  }
  return null
}

/** Address of the last FDE that begins at or before `pc`. */
function fdeOf(image: ByteSource, table: number, pc: number): number | null {
  const head = new Cursor(bytesAt(image, table, HEADER_BYTES))
  const [version, frames, count, entries] = [head.u8(), head.u8(), head.u8(), head.u8()]
  if (version !== 1 || frames !== PCREL_SDATA4 || count !== UDATA4 || entries !== DATAREL_SDATA4) return null
  head.s32()
  let low = 0
  let high = head.u32()
  const entry = (index: number) =>
    new Cursor(bytesAt(image, table + HEADER_BYTES + index * ENTRY_BYTES, ENTRY_BYTES))
  while (low < high) {
    const middle = (low + high) >>> 1
    if (table + entry(middle).s32() <= pc) low = middle + 1
    else high = middle
  }
  if (low === 0) return null
  const found = entry(low - 1)
  found.s32()
  return table + found.s32()
}

function returnIsUndefined(image: ByteSource, at: number, pc: number): boolean | null {
  const fde = entryAt(image, at)
  const link = fde.bytes.u32()
  const cie = cieAt(image, fde.at - link)
  if (cie === null) return null
  const start = fde.at + fde.bytes.position + fde.bytes.s32()
  const length = fde.bytes.u32()
  if (pc < start || pc >= start + length) return null
  if (cie.hasData) fde.bytes.skip(fde.bytes.uleb())
  const state = { undefined: false, location: start, saved: [] as boolean[] }
  runTo(cie.instructions, cie, pc, state, false)
  const initially = state.undefined
  runTo(fde.bytes, cie, pc, state, initially)
  return state.undefined
}

function entryAt(image: ByteSource, at: number): Entry {
  const length = new Cursor(bytesAt(image, at, 4)).u32()
  if (length > MOST_ENTRY_BYTES) throw new RangeError('an entry of call frame information is too long')
  return { at: at + 4, bytes: new Cursor(bytesAt(image, at + 4, length)) }
}

function cieAt(image: ByteSource, at: number): Cie | null {
  const { bytes } = entryAt(image, at)
  if (bytes.u32() !== 0) return null
  const version = bytes.u8()
  const augmentation = bytes.text()
  const codeAlign = bytes.uleb()
  bytes.uleb()
  const returnColumn = version === 1 ? bytes.u8() : bytes.uleb()
  const hasData = augmentation.startsWith('z')
  if (!hasData) return null
  const data = new Cursor(bytes.take(bytes.uleb()))
  for (const letter of augmentation.slice(1)) {
    if (letter === 'R') {
      if (data.u8() !== PCREL_SDATA4) return null
    } else if (letter === 'L') data.u8()
    else if (letter === 'P') {
      if (data.u8() === OMITTED) continue
      // Pointers to personality routines are 4 or 8 bytes; only R matters, which GCC and Clang write after it.
      const rest = augmentation.slice(augmentation.indexOf('P') + 1).length
      data.skip(Math.max(0, data.left - rest))
    }
  }
  return { codeAlign, returnColumn, instructions: bytes, hasData }
}

interface State {
  undefined: boolean
  location: number
  readonly saved: boolean[]
}

/** Runs instructions for as long as they are of places up to `pc`. `initially`: what `restore` restores. */
function runTo(code: Cursor, cie: Cie, pc: number, state: State, initially: boolean): void {
  const rule = (column: number, isUndefined: boolean) => {
    if (column === cie.returnColumn) state.undefined = isUndefined
  }
  while (code.left > 0 && state.location <= pc) {
    const byte = code.u8()
    const low = byte & 0x3f
    if (byte >= 0xc0) rule(low, initially)
    else if (byte >= 0x80) {
      code.uleb()
      rule(low, false)
    } else if (byte >= 0x40) advance(low)
    else if (byte === 0x02) advance(code.u8())
    else if (byte === 0x03) advance(code.u16())
    else if (byte === 0x04) advance(code.u32())
    else if (byte === 0x06) rule(code.uleb(), initially)
    else if (byte === 0x07) rule(code.uleb(), true)
    else if (byte === 0x08) rule(code.uleb(), false)
    else if (byte === 0x0a) state.saved.push(state.undefined)
    else if (byte === 0x0b) state.undefined = state.saved.pop() ?? initially
    else if (byte === 0x0f) code.skip(code.uleb())
    else if (byte === 0x10 || byte === 0x16) {
      rule(code.uleb(), false)
      code.skip(code.uleb())
    } else if (byte in SKIPPED_NUMBERS) {
      const numbers = SKIPPED_NUMBERS[byte]!
      // Of the signed and unsigned kinds alike.
      const first = numbers > 0 ? code.uleb() : 0
      for (let left = numbers - 1; left > 0; left--) code.uleb()
      if (RULES.has(byte)) rule(first, false)
    } else throw new RangeError('an unknown instruction of call frame information')
  }

  function advance(by: number) {
    const next = state.location + by * cie.codeAlign
    state.location = next > pc ? Number.POSITIVE_INFINITY : next
  }
}

/** How many numbers follow instructions that matter here only if they are of the return address. */
const SKIPPED_NUMBERS: Readonly<Record<number, number>> = {
  0: 0, // nop
  5: 2, // offset_extended
  9: 2, // register
  12: 2, // def_cfa
  13: 1, // def_cfa_register
  14: 1, // def_cfa_offset
  17: 2, // offset_extended_sf
  18: 2, // def_cfa_sf
  19: 1, // def_cfa_offset_sf
  20: 2, // val_offset
  21: 2, // val_offset_sf
  45: 0, // AArch64: negate_ra_state
  46: 1, // GNU_args_size
}
const RULES = new Set([0x05, 0x09, 0x11, 0x14, 0x15])

/** Reads in order; a RangeError beyond the end. */
class Cursor {
  readonly #view: DataView
  position = 0

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get left(): number {
    return this.#view.byteLength - this.position
  }

  u8(): number {
    return this.#view.getUint8(this.#next(1))
  }

  u16(): number {
    return this.#view.getUint16(this.#next(2), true)
  }

  u32(): number {
    return this.#view.getUint32(this.#next(4), true)
  }

  s32(): number {
    return this.#view.getInt32(this.#next(4), true)
  }

  /** A LEB128 number; of signed ones only where it ends is right. */
  uleb(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
  }

  text(): string {
    let text = ''
    for (let byte = this.u8(); byte !== 0; byte = this.u8()) text += String.fromCharCode(byte)
    return text
  }

  skip(bytes: number): void {
    this.#next(bytes)
  }

  take(bytes: number): Uint8Array {
    const at = this.#next(bytes)
    return new Uint8Array(this.#view.buffer, this.#view.byteOffset + at, bytes)
  }

  #next(bytes: number): number {
    if (!(bytes >= 0 && bytes <= this.left)) throw new RangeError('call frame information is cut')
    const at = this.position
    this.position += bytes
    return at
  }
}

function bytesAt(image: ByteSource, at: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  if (!Number.isSafeInteger(at) || at < 0 || image.read(at, bytes) !== length) {
    throw new RangeError('call frame information is not there')
  }
  return bytes
}
