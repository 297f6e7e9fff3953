// Cuts a stream of bytes into lines, whatever its chunks are; never decodes, so no character is ever cut in two.

const LF = 0x0a
const CR = 0x0d

/** Feed it chunks; it hands out whole lines without their line ends (LF or CRLF). */
export class LineReader {
  readonly #onLine: (line: Uint8Array) => void
  readonly #maxLineBytes: number
  #parts: Uint8Array[] = []
  #held = 0
  #overflown = false

  /** A line longer than `maxLineBytes` is handed out cut to that length. */
  constructor(onLine: (line: Uint8Array) => void, maxLineBytes = 256 * 1024 * 1024) {
    this.#onLine = onLine
    this.#maxLineBytes = maxLineBytes
  }

  push(chunk: Uint8Array): void {
    let start = 0
    for (;;) {
      const end = chunk.indexOf(LF, start)
      if (end < 0) break
      this.#keep(chunk.subarray(start, end))
      this.#flush()
      start = end + 1
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start))
  }

  /** The stream is over: a last line without an end is handed out too. */
  end(): void {
    if (this.#held > 0) this.#flush()
  }

  #keep(part: Uint8Array): void {
    if (this.#overflown) return
    const room = this.#maxLineBytes - this.#held
    if (part.length > room) this.#overflown = true
    const kept = part.length > room ? part.subarray(0, room) : part
    if (kept.length === 0) return
    this.#parts.push(kept)
    this.#held += kept.length
  }

  #flush(): void {
    const whole = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts)
    this.#parts = []
    this.#held = 0
    this.#overflown = false
    this.#onLine(whole.length > 0 && whole[whole.length - 1] === CR ? whole.subarray(0, -1) : whole)
  }
}
