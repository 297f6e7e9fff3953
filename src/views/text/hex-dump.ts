// Memory as bytes: address, sixteen bytes, and what of them is ASCII. Unknown bytes are ──, never zeros.

export interface HexDump {
  readonly start: bigint
  readonly bytes: Uint8Array
  /** 1 where the byte could be read. */
  readonly known: Uint8Array
}

const PER_LINE = 16

/** One line per sixteen bytes, aligned to the start as given. */
export function renderHex({ start, bytes, known }: HexDump): string {
  const lines: string[] = []
  for (let from = 0; from < bytes.length; from += PER_LINE) {
    const cells: string[] = []
    let text = ''
    for (let at = from; at < Math.min(from + PER_LINE, bytes.length); at++) {
      const byte = bytes[at]!
      cells.push(known[at] ? byte.toString(16).padStart(2, '0') : '──')
      text += !known[at] ? ' ' : byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'
    }
    const left = cells.slice(0, 8).join(' ')
    const right = cells.slice(8).join(' ')
    lines.push(
      `0x${(start + BigInt(from)).toString(16)}:  ${left.padEnd(23)}  ${right.padEnd(23)}  |${text}|\n`,
    )
  }
  return lines.join('')
}
