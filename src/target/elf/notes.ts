// ELF notes, walked without trusting any size in them.
import { type ByteSource, buffered } from './byte-source.js'

/** One note; its descriptor stays in the source until noteBytes reads it. */
export interface Note {
  readonly name: string
  readonly type: number
  /** Position and size of the descriptor in the source. */
  readonly position: number
  readonly bytes: number
}

const MAX_NOTES = 1 << 21
const MAX_NAME = 32

/**
 * The notes in [position, position + length) of a little-endian source; `alignBytes` is p_align (4 or 8). Returns
 * a sentence when the walk had to end before the end of the range, else null.
 */
export function* notes(
  source: ByteSource,
  position: number,
  length: number,
  alignBytes = 4,
): Generator<Note, string | null> {
  const align = alignBytes === 8 ? 8 : 4
  const window = buffered(source)
  const head = new Uint8Array(12)
  const view = new DataView(head.buffer)
  let at = 0
  for (let count = 0; at + 12 <= length; count++) {
    if (count === MAX_NOTES) return `more than ${MAX_NOTES} notes`
    if (window.read(position + at, head) < 12) return `the notes are cut after ${at} of ${length} bytes`
    const nameBytes = view.getUint32(0, true)
    const bytes = view.getUint32(4, true)
    const descriptor = up(at + 12 + nameBytes, align)
    const next = up(descriptor + bytes, align)
    if (descriptor + bytes > length)
      return `a note ${at} bytes into the notes claims ${nameBytes + bytes} bytes`
    const name = nameOf(window, position + at + 12, nameBytes)
    yield { name, type: view.getUint32(8, true), position: position + descriptor, bytes }
    at = next
  }
  return null
}

/** The descriptor of a note; null when it is longer than `limitBytes` or its bytes are missing. */
export function noteBytes(source: ByteSource, note: Note, limitBytes: number): Uint8Array | null {
  if (note.bytes > limitBytes) return null
  const bytes = new Uint8Array(note.bytes)
  return source.read(note.position, bytes) < note.bytes ? null : bytes
}

function up(value: number, align: number): number {
  return Math.ceil(value / align) * align
}

function nameOf(source: ByteSource, position: number, nameBytes: number): string {
  const bytes = new Uint8Array(Math.min(nameBytes, MAX_NAME))
  const got = source.read(position, bytes)
  let text = ''
  for (let i = 0; i < got && bytes[i] !== 0; i++) text += String.fromCharCode(bytes[i]!)
  return text
}
