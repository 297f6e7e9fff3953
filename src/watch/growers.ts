// What grew most between two samples: categories of memory, and arenas.
import { LEDGER_LINES } from '../maps/ledger.js'
import type { ArenaSample, Sample } from './sample.js'
import { figureOf } from './series.js'

/** One of many that grew (or shrank, below zero). Bytes. */
export interface Grower {
  readonly kind: 'category' | 'arena'
  readonly name: string
  readonly fromBytes: number
  readonly toBytes: number
  readonly grewBytes: number
}

/** What changed from `a` to `b`, the greatest change first, growth before shrinking. What either does not know is left out. */
export function growers(a: Sample, b: Sample): readonly Grower[] {
  return [...categories(a, b), ...arenas(a, b)]
    .filter(({ grewBytes }) => grewBytes !== 0)
    .sort((one, other) => other.grewBytes - one.grewBytes)
}

/** `most` categories and `most` arenas that grew. */
export function topGrowers(a: Sample, b: Sample, most: number): readonly Grower[] {
  const grown = growers(a, b).filter(({ grewBytes }) => grewBytes > 0)
  const top = (kind: Grower['kind']) => grown.filter((one) => one.kind === kind).slice(0, most)
  return [...top('category'), ...top('arena')]
}

/** The name as people read it. */
export function growerText({ kind, name }: Grower): string {
  return kind === 'arena' ? (name === 'main' ? 'main arena' : `arena ${name}`) : name
}

function categories(a: Sample, b: Sample): readonly Grower[] {
  return LEDGER_LINES.flatMap((line) => {
    // A rest that only exists where an arena moves.
    if (line === 'malloc: not told apart') return []
    const fromBytes = figureOf(a, line)
    const toBytes = figureOf(b, line)
    if (fromBytes === null || toBytes === null) return []
    return { kind: 'category', name: line, fromBytes, toBytes, grewBytes: toBytes - fromBytes } as const
  })
}

function arenas(a: Sample, b: Sample): readonly Grower[] {
  const before = new Map(a.byArena.map((arena) => [arena.name, arena]))
  return b.byArena.flatMap((arena) => {
    const fromBytes = systemBefore(before.get(arena.name), a)
    if (fromBytes === null || arena.systemBytes === null) return []
    const grewBytes = arena.systemBytes - fromBytes
    return { kind: 'arena', name: arena.name, fromBytes, toBytes: arena.systemBytes, grewBytes } as const
  })
}

// An arena that was not there held nothing; one that may be among the others is unknown.
function systemBefore(arena: ArenaSample | undefined, before: Sample): number | null {
  if (arena) return arena.systemBytes
  return before.arenas === null || before.otherArenas !== null ? null : 0
}
