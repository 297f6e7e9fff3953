// Which compressor made this file, by its magic: what core handlers leave (systemd-coredump, apport, cron jobs).

/** A compression that a core may come in. */
export interface PackedFormat {
  readonly name: 'gzip' | 'zstd' | 'xz' | 'lz4' | 'bzip2'
  /** Unpacks it by hand. */
  readonly command: string
  /** The program that unpacks stdin to stdout, with the Debian package it is in; null: none is used. */
  readonly tool: { readonly argv: readonly [string, ...string[]]; readonly package: string } | null
}

const GZIP: PackedFormat = { name: 'gzip', command: 'gunzip -k', tool: null }
const BZIP2: PackedFormat = { name: 'bzip2', command: 'bunzip2 -k', tool: null }
// --long=31: also what was packed with a window above zstd's default limit of 128 MiB.
const ZSTD: PackedFormat = {
  name: 'zstd',
  command: 'unzstd',
  tool: { argv: ['zstd', '-d', '-c', '-q', '--long=31'], package: 'zstd' },
}
const XZ: PackedFormat = {
  name: 'xz',
  command: 'unxz -k',
  tool: { argv: ['xz', '-d', '-c', '-q'], package: 'xz-utils' },
}
const LZ4: PackedFormat = {
  name: 'lz4',
  command: 'unlz4',
  tool: { argv: ['lz4', '-d', '-c', '-q'], package: 'lz4' },
}

const MAGIC: readonly (readonly [magic: readonly number[], format: PackedFormat])[] = [
  [[0x1f, 0x8b], GZIP],
  [[0x28, 0xb5, 0x2f, 0xfd], ZSTD],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], XZ],
  [[0x04, 0x22, 0x4d, 0x18], LZ4],
  [[0x02, 0x21, 0x4c, 0x18], LZ4],
  [[0x42, 0x5a, 0x68], BZIP2],
]

/** The format of a file that begins with `head` (18 bytes are enough); null when it is not packed. */
export function packedFormat(head: Uint8Array): PackedFormat | null {
  for (const [magic, format] of MAGIC) if (magic.every((byte, i) => head[i] === byte)) return format
  // pzstd begins with a skippable frame; its magic's lowest four bits are free.
  const skippable = head.length >= 4 && (head[0]! & 0xf0) === 0x50
  return skippable && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18 ? ZSTD : null
}
