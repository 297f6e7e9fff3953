// Every chunk of one arena, by columns: free and live bytes, and the largest free chunk.
// usage: node walk-an-arena.js CORE ARENA
import { CHUNK_STATES, hex, openSession } from 'arena-inspect'

const [path = 'core', arena = '0'] = process.argv.slice(2)
const session = await openSession({ kind: 'core', path })
try {
  const bytes = new Map<string, number>()
  let largest = { sizeBytes: 0, address: 0n }
  // A batch is valid until the next one; chunks are rows of its columns, not objects.
  for (const { count, addresses, sizes, states } of session.chunkBatches({ arena: Number(arena) })) {
    for (let row = 0; row < count; row++) {
      const state = CHUNK_STATES[states[row]!]!
      bytes.set(state, (bytes.get(state) ?? 0) + sizes[row]!)
      if ((state === 'binned' || state === 'unsorted') && sizes[row]! > largest.sizeBytes)
        largest = { sizeBytes: sizes[row]!, address: addresses[row]! }
    }
  }
  for (const [state, sum] of bytes) console.log(`${state}: ${sum} bytes`)
  console.log(`largest free chunk: ${largest.sizeBytes} bytes at ${hex(largest.address)}`)
} finally {
  await session.close()
}
