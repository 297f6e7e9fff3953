// What the live chunks are, by symbols: C++ objects begin with their vtable, many C ones with a table of functions.
import type { LiveTypes } from '../findings/facts.js'
import { sampleFirstWords } from '../malloc/chunks/sample-live.js'
import type { MallocState } from '../malloc/read-heap-model.js'
import { address } from '../memory/address.js'
import { regionAt } from '../memory/region.js'
import type { Symbols, Target } from '../target/target.js'

const SAMPLE = 4096
/** More are not shown. */
const MOST_TYPES = 8

/** Null where no first word of the sample has a name, or gdb knows none. */
export async function liveTypes(
  target: Target,
  symbols: Symbols,
  { model, layout }: MallocState,
): Promise<LiveTypes | null> {
  const words = sampleFirstWords(target.memory, model, layout, SAMPLE)
  const counts = new Map<bigint, number>()
  for (const word of words) {
    // A file of the program's: code and its tables; the heap's own pointers have no names.
    if (regionAt(target.regions(), word)?.path?.startsWith('/')) counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  const pointers = [...counts.keys()]
  const names = await symbols.nearest(pointers.map((word) => address(word)))
  const bySymbol = new Map<string, number>()
  names.forEach((name, index) => {
    if (name === null) return
    const symbol = name.replace(/^<|>$/g, '').replace(/\+\d+$/, '')
    bySymbol.set(symbol, (bySymbol.get(symbol) ?? 0) + counts.get(pointers[index]!)!)
  })
  if (bySymbol.size === 0) return null
  const found = [...bySymbol].sort(([, a], [, b]) => b - a).slice(0, MOST_TYPES)
  const readable = await symbols.demangled(found.map(([symbol]) => symbol))
  const types = found.map(([, chunks], index) => ({ name: typeOf(readable[index]!), chunks }))
  return { sampledChunks: words.length, types }
}

// An object of Foo begins with `vtable for Foo`; any other symbol stands for itself.
function typeOf(symbol: string): string {
  return /^vtable for (.+)$/.exec(symbol)?.[1] ?? symbol
}
