// The heartbeat of examples/programs/arena-bloat.c: how long the process ever stood still, as it saw it itself.
import { closeSync, openSync, readSync, writeSync } from 'node:fs'

// struct hb: ticks, max_ns, sum_over5ms_ns, n_over5ms, log_n, each 64 bits.
const MAX_NS_AT = 8
const RESET_BYTES = 32

function withFile<T>(file: string, mode: 'r' | 'r+', work: (fd: number) => T): T {
  const fd = openSync(file, mode)
  try {
    return work(fd)
  } finally {
    closeSync(fd)
  }
}

function numberAt(fd: number, position: number): number {
  const bytes = Buffer.alloc(8)
  readSync(fd, bytes, 0, 8, position)
  return Number(bytes.readBigUInt64LE())
}

/** The longest gap between two beats (1 ms apart when all is well) while `work` runs, in ms, and the beats in it. */
export async function longestGap(
  file: string,
  work: () => Promise<unknown>,
): Promise<{ gapMs: number; beats: number }> {
  withFile(file, 'r+', (fd) => writeSync(fd, Buffer.alloc(RESET_BYTES), 0, RESET_BYTES, MAX_NS_AT))
  const before = withFile(file, 'r', (fd) => numberAt(fd, 0))
  await work()
  return withFile(file, 'r', (fd) => ({
    gapMs: numberAt(fd, MAX_NS_AT) / 1e6,
    beats: numberAt(fd, 0) - before,
  }))
}
