// A snapshot file as its records: listed once, each unpacked when it is asked for. Works on any system and CPU.
import { closeSync, fstatSync, openSync } from 'node:fs'
import { fileBytes } from '../target/elf/byte-source.js'
import { isNodeError } from '../target/elf/node-error.js'
import { TargetError } from '../target/target.js'
import { DamagedRecord, damagedSnapshot } from './damaged-snapshot.js'
import { MOST_HEADER_BYTES, parseRecordHeader, type RecordPlace, unpackRecord } from './record.js'
import { KIND } from './snapshot.js'

const MIB = 1 << 20

/** What a record of a kind may unpack to; a larger one is not what we wrote. */
const MOST_BYTES: Readonly<Record<number, number>> = {
  [KIND.header]: 1 << 16,
  [KIND.report]: 256 * MIB,
  [KIND.chunks]: 4 * MIB,
  [KIND.memory]: 4 * MIB,
}
const MOST_BYTES_OF_OTHERS = 64 * MIB

/** An open snapshot; `close` it. */
export class SnapshotFile {
  private constructor(
    readonly path: string,
    readonly fd: number,
    readonly records: readonly RecordPlace[],
    /** What is missing at the end, in a sentence; null when the file is whole. */
    readonly problem: string | null,
  ) {}

  /** Throws TargetError where no record begins the file. */
  static open(path: string): SnapshotFile {
    let fd: number | null = null
    try {
      fd = openSync(path, 'r')
      const { records, problem } = listRecords(fd)
      if (records.length === 0)
        throw new TargetError(
          `${path} is a snapshot that was unpacked or packed again, or its first bytes are damaged`,
          'give the file as arena-inspect snapshot wrote it',
        )
      return new SnapshotFile(path, fd, records, problem)
    } catch (error) {
      if (fd !== null) closeSync(fd)
      if (isNodeError(error)) throw unreadable(path, error)
      throw error
    }
  }

  ofKind(kind: number): readonly RecordPlace[] {
    return this.records.filter((record) => record.kind === kind)
  }

  /** Throws DamagedRecord; TargetError where the file cannot be read. */
  content(place: RecordPlace): Buffer {
    const most = MOST_BYTES[place.kind] ?? MOST_BYTES_OF_OTHERS
    // What cannot be packed becomes a little larger by it.
    if (place.unpackedBytes > most || place.packedBytes > 1024 + 1.01 * place.unpackedBytes)
      throw new DamagedRecord(`its record at byte ${place.position} is larger than any we write`)
    const packed = Buffer.alloc(place.packedBytes)
    try {
      const got = fileBytes(this.fd).read(place.position, packed)
      if (got < packed.length) throw new DamagedRecord('it became shorter while it was read')
    } catch (error) {
      if (isNodeError(error)) throw unreadable(this.path, error)
      throw error
    }
    return unpackRecord(place, packed)
  }

  /** `work`, with what it says of a damaged record told of this file. */
  told<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      if (error instanceof DamagedRecord) throw damagedSnapshot(this.path, error.message)
      throw error
    }
  }

  close(): void {
    closeSync(this.fd)
  }
}

function listRecords(fd: number): { records: readonly RecordPlace[]; problem: string | null } {
  const { size } = fstatSync(fd)
  const bytes = fileBytes(fd)
  const head = new Uint8Array(MOST_HEADER_BYTES)
  const records: RecordPlace[] = []
  const cut = (what: string) => ({
    records,
    problem: `it is ${what}, what came behind that is missing`,
  })
  for (let at = 0; at < size; ) {
    const record = parseRecordHeader(head.subarray(0, bytes.read(at, head)), at)
    if (!record) return cut(size - at < MOST_HEADER_BYTES ? `cut at byte ${size}` : `damaged at byte ${at}`)
    if (at + record.packedBytes > size) return cut(`cut at byte ${size}`)
    records.push(record)
    if (record.kind === KIND.end) return { records, problem: null }
    at += record.packedBytes
  }
  return cut(`cut at byte ${size}`)
}

function unreadable(path: string, { code }: NodeJS.ErrnoException): TargetError {
  return new TargetError(`${path} cannot be read (${code})`, 'check the file and the disk it is on')
}
