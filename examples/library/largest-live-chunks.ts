// The ten largest chunks that a running process holds, and what is said of each address. The process is not stopped.
// usage: node largest-live-chunks.js PID
import { address, hex, openSession } from 'arena-inspect'

const session = await openSession({ kind: 'live', pid: Number(process.argv[2]) }, { useGdb: false })
try {
  let largest: { at: bigint; sizeBytes: number }[] = []
  const states = new Set(['live', 'mmapped'] as const)
  for (const { count, addresses, sizes } of session.chunkBatches({ states, minBytes: 1024 })) {
    for (let row = 0; row < count; row++) largest.push({ at: addresses[row]!, sizeBytes: sizes[row]! })
    largest = largest.sort((a, b) => b.sizeBytes - a.sizeBytes).slice(0, 10)
  }
  for (const { at, sizeBytes } of largest)
    console.log(`${sizeBytes} bytes at ${hex(at)}: ${session.describe(address(at)).lines[0]}`)
} finally {
  await session.close()
}
