// NT_FILE: which file lies where. Source: linux fs/binfmt_elf.c, fill_files_note.
import { unsigned64 } from '../elf/elf-header.js'
import { keyOf } from './address-key.js'

/** A file mapped at [start, end), address keys. */
export interface FileMapping {
  readonly start: number
  readonly end: number
  /** Bytes into the file. */
  readonly fileOffset: number
  /** As the target saw it; ` (deleted)` is the kernel's. */
  readonly path: string
}

/** The mappings of an NT_FILE descriptor, sorted and disjoint; what it claims beyond its size goes to `problems`. */
export function fileMappings(
  bytes: Uint8Array,
  wordBytes: 8 | 4,
  problems: string[],
): readonly FileMapping[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 2 * wordBytes) return []
  const word = (at: number) => (wordBytes === 8 ? unsigned64(view, at) : view.getUint32(at, true))
  const key = (at: number) =>
    wordBytes === 8 ? keyOf(view.getBigUint64(at, true)) : view.getUint32(at, true)
  const claimed = word(0)
  const unit = word(wordBytes)
  const room = Math.floor((bytes.length - 2 * wordBytes) / (3 * wordBytes))
  const count = Math.min(claimed, room)
  const found: FileMapping[] = []
  const paths = new PathList(bytes, (2 + 3 * count) * wordBytes)
  let strange = claimed > count ? claimed - count : 0
  for (let i = 0; i < count; i++) {
    const path = paths.next()
    const at = (2 + 3 * i) * wordBytes
    const entry = { start: key(at), end: key(at + wordBytes), fileOffset: word(at + 2 * wordBytes) * unit }
    const sound = entry.start < entry.end && Number.isSafeInteger(entry.fileOffset) && path !== null
    if (sound) found.push({ ...entry, path })
    else strange++
  }
  found.sort((a, b) => a.start - b.start)
  const apart: FileMapping[] = []
  for (const file of found) {
    if (file.start < (apart.at(-1)?.end ?? file.start)) strange++
    else apart.push(file)
  }
  if (strange > 0) problems.push(`${strange} entries of the core's list of mapped files make no sense`)
  return apart
}

class PathList {
  readonly #decoder = new TextDecoder()
  #last = ''
  #lastBytes: Uint8Array = new Uint8Array()
  constructor(
    readonly bytes: Uint8Array,
    private at: number,
  ) {}

  /** The next path; null when none is left. */
  next(): string | null {
    const end = this.bytes.indexOf(0, this.at)
    if (end < 0) return null
    const raw = this.bytes.subarray(this.at, end)
    this.at = end + 1
    if (raw.length === 0) return null
    if (Buffer.compare(raw, this.#lastBytes) === 0) return this.#last
    this.#lastBytes = raw
    this.#last = this.#decoder.decode(raw)
    return this.#last
  }
}
