// Ways to damage a core file: each takes the bytes of a sound one, which are its own copy, and spoils them at random.

/** Whole numbers in [0, below), the same for the same seed. */
export type Random = (below: number) => number

export function randomFrom(seed: number): Random {
  let state = seed >>> 0
  return (below) => {
    // xorshift over a Weyl sequence: all bits are usable, and a seed of 0 is as good as another.
    state = (state + 0x9e3779b9) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    return Math.floor((((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32) * below)
  }
}

/** A sound core and where in its file things are. */
export interface Aim {
  readonly bytes: Uint8Array
  readonly wordBytes: 8 | 4
  /** Ends of what is read before any memory: ELF header, program headers, notes. */
  readonly headerBytes: number
  readonly tableBytes: number
  readonly notes: readonly { readonly at: number; readonly bytes: number }[]
  /** File offsets of words of malloc's structures: arenas, heap_infos, tcaches, mp_. */
  readonly structures: readonly number[]
  /** File offsets of chunk headers (prev_size). */
  readonly chunks: readonly number[]
  /** File offsets of words that are pointers of lists: fd, bk, next, prev, tcache links. */
  readonly links: readonly number[]
}

/** Spoils `bytes` in place, or answers a shorter part of them. */
type Mutation = (bytes: Uint8Array, aim: Aim, random: Random) => Uint8Array

const VALUES = [
  0n,
  1n,
  0x10n,
  0x11n,
  0x21n,
  0xfffn,
  0x4141414141414141n,
  0xffff_ffff_ffff_ffffn,
  0x8000_0000_0000_0000n,
  0x7fff_ffff_ffff_fff0n,
  0x7fff_ffff_f000n,
  0x1_0000_0001n,
  0xffff_ffffn,
  0x4000_0001n,
]

const pick = <T>(list: readonly T[], random: Random): T => list[random(list.length)]!

// Words of the core's own size.
function word(bytes: Uint8Array, at: number, { wordBytes }: Aim): bigint {
  if (at + wordBytes > bytes.length) return 0n
  const view = new DataView(bytes.buffer)
  return wordBytes === 8 ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true))
}

function put(bytes: Uint8Array, at: number, value: bigint, { wordBytes }: Aim): void {
  if (at + wordBytes > bytes.length) return
  const view = new DataView(bytes.buffer)
  if (wordBytes === 8) view.setBigUint64(at, BigInt.asUintN(64, value), true)
  else view.setUint32(at, Number(BigInt.asUintN(32, value)), true)
}

function flip(bytes: Uint8Array, at: number, random: Random): void {
  if (random(2) === 0) bytes[at]! ^= 1 << random(8)
  else bytes[at] = random(256)
}

function times(count: number, act: () => void): void {
  for (let k = 0; k < count; k++) act()
}

const anywhere: Mutation = (bytes, _aim, random) => {
  times(1 << random(11), () => flip(bytes, random(bytes.length), random))
  return bytes
}

const structures: Mutation = (bytes, aim, random) => {
  times(1 + random(4), () => {
    const at = pick(aim.structures, random)
    if (random(2) === 0) flip(bytes, at + random(aim.wordBytes), random)
    else {
      const copied = word(bytes, pick(aim.structures, random), aim)
      put(bytes, at, random(3) === 0 ? copied : pick(VALUES, random), aim)
    }
  })
  return bytes
}

const cut: Mutation = (bytes, aim, random) => {
  const end = random(3) === 0 ? random(aim.tableBytes + 4096) : random(bytes.length)
  return bytes.subarray(0, end)
}

const headers: Mutation = (bytes, aim, random) => {
  times(1 + random(3), () => {
    const at = random(3) === 0 ? random(aim.headerBytes) : random(aim.tableBytes)
    if (random(2) === 0) flip(bytes, at, random)
    else put(bytes, at & ~7, random(3) === 0 ? BigInt(random(bytes.length)) : pick(VALUES, random), aim)
  })
  return bytes
}

const notes: Mutation = (bytes, aim, random) => {
  if (aim.notes.length === 0) return bytes
  times(1 + random(6), () => {
    const note = pick(aim.notes, random)
    const at = note.at + random(Math.min(note.bytes, random(2) === 0 ? 512 : note.bytes))
    if (random(2) === 0) flip(bytes, at, random)
    else put(bytes, at & ~3, pick(VALUES, random), aim)
  })
  return bytes
}

// A pointer of one list takes the value of another's: circles, joins, and lists of other arenas.
const cycles: Mutation = (bytes, aim, random) => {
  times(1 + random(4), () =>
    put(bytes, pick(aim.links, random), word(bytes, pick(aim.links, random), aim), aim),
  )
  return bytes
}

const swapped: Mutation = (bytes, aim, random) => {
  times(1 + random(4), () => {
    const from = random(2) === 0 ? aim.links : aim.structures
    const [a, b] = [pick(from, random), pick(from, random)]
    const [left, right] = [word(bytes, a, aim), word(bytes, b, aim)]
    put(bytes, a, right, aim)
    put(bytes, b, left, aim)
  })
  return bytes
}

const sizes: Mutation = (bytes, aim, random) => {
  times(1 + random(random(4) === 0 ? 200 : 3), () => {
    const at = pick(aim.chunks, random) + aim.wordBytes
    const near = (word(bytes, at, aim) + BigInt(16 * (random(65) - 32))) & 0xffff_ffffn
    put(bytes, at, random(2) === 0 ? near : pick(VALUES, random), aim)
  })
  return bytes
}

// What a program writes behind the end of a chunk.
const overflow: Mutation = (bytes, aim, random) => {
  times(1 + random(3), () => {
    const at = pick(aim.chunks, random)
    const length = 1 << random(random(3) === 0 ? 18 : 8)
    const fill = pick([0x41, 0, 0xff, 0xa5, -1], random)
    for (let k = at; k < Math.min(at + length, bytes.length); k++) bytes[k] = fill < 0 ? random(256) : fill
  })
  return bytes
}

const SIMPLE = { anywhere, structures, cut, headers, notes, cycles, swapped, sizes, overflow }

const several: Mutation = (bytes, aim, random) => {
  let spoiled = bytes
  times(2 + random(3), () => {
    const next = pick(Object.values(SIMPLE), random)
    if (next !== cut) spoiled = next(spoiled, aim, random)
  })
  return random(4) === 0 ? cut(spoiled, aim, random) : spoiled
}

/** By name, in the order that rounds take them. */
export const MUTATIONS: ReadonlyMap<string, Mutation> = new Map(Object.entries({ ...SIMPLE, several }))
