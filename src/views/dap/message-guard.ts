// Stands before the protocol server: only whole messages with headers of this protocol pass, of bounded size.
import { Transform, type TransformCallback } from 'node:stream'

const MOST_HEADER_BYTES = 4096
const MOST_MESSAGE_BYTES = 8 << 20
const END = Buffer.from('\r\n\r\n')

/**
 * What is no message is passed over and told to `onBad`. A browser can be made to send text to a port of this machine,
 * with a message inside of it: on a socket the first bad header must end the connection.
 */
export class MessageGuard extends Transform {
  readonly #onBad: (what: string) => void
  #parts: Buffer[] = []
  #bytes = 0
  /** Of the message whose header was read; null: a header is expected. */
  #length: number | null = null
  /** Bytes of a message that is too large, still to be passed over. */
  #skip = 0

  constructor(onBad: (what: string) => void) {
    super()
    this.#onBad = onBad
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const skipped = Math.min(this.#skip, chunk.length)
    this.#skip -= skipped
    this.#keep(chunk.subarray(skipped))
    // A message that is not there as a whole is not joined from its parts again with each of them.
    while (this.#length === null ? this.#header() : this.#body(this.#length)) {}
    done()
  }

  #header(): boolean {
    const bytes = this.#joined()
    const end = bytes.indexOf(END)
    if (end < 0) {
      if (bytes.length <= MOST_HEADER_BYTES) return false
      this.#onBad('no header within 4 KiB')
      this.#take(bytes.length - END.length)
      return false
    }
    const text = bytes.subarray(0, Math.min(end, MOST_HEADER_BYTES)).toString('latin1')
    this.#take(end + END.length)
    const length = lengthOf(text)
    if (length === null) this.#onBad(`a header ${JSON.stringify(text.slice(0, 60))}`)
    else if (length > MOST_MESSAGE_BYTES) {
      this.#onBad(`a message of ${length} bytes`)
      const here = Math.min(length, this.#bytes)
      this.#take(here)
      this.#skip = length - here
    } else this.#length = length
    return true
  }

  #body(length: number): boolean {
    if (this.#bytes < length) return false
    const bytes = this.#joined()
    this.#length = null
    this.push(Buffer.concat([Buffer.from(`Content-Length: ${length}\r\n\r\n`), bytes.subarray(0, length)]))
    this.#take(length)
    return true
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return
    this.#parts.push(part)
    this.#bytes += part.length
  }

  #joined(): Buffer {
    if (this.#parts.length !== 1) this.#parts = [Buffer.concat(this.#parts)]
    return this.#parts[0]!
  }

  #take(count: number): void {
    const rest = this.#joined().subarray(count)
    this.#parts = [rest]
    this.#bytes = rest.length
  }
}

function lengthOf(header: string): number | null {
  let length: number | null = null
  for (const line of header.split('\r\n')) {
    const field = /^(Content-Length|Content-Type) *: *(.*?) *$/i.exec(line)
    if (!field) return null
    if (field[1]!.toLowerCase() !== 'content-length') continue
    if (length !== null || !/^\d{1,15}$/.test(field[2]!)) return null
    length = Number(field[2])
  }
  return length
}
