// Where each thread's control block (TCB, glibc's struct pthread) is: as recorded, else found in memory.
import { type Address, address, offset } from '../../memory/address.js'
import { PageCache } from '../../memory/page-cache.js'
import { type Region, regionAt, sizeOf } from '../../memory/region.js'
import type { Target, Thread } from '../../target/target.js'
import type { WordBytes } from '../layout.js'
import { tcbsIn } from './scan-tcbs.js'

/** From a stack pointer up to its TCB: deeper stacks are left to the other ways. */
const MOST_STACK_BYTES = 16 << 20
/** A TCB lies within this much of the end of a stack (thread-local data and stack colouring above it). */
const TAIL_BYTES = 256 << 10
/** What a search of region ends may read in all. */
const MOST_READ_BYTES = 256 << 20
const MOST_LIST_STEPS = 1 << 20

/**
 * Thread pointers by tid, of those threads for which one is recorded or can be found. x86 (live, where registers are
 * not at hand): a TCB holds its own address twice (tcbhead_t.tcb and .self) and its thread's tid (struct pthread.tid, 0x2d0 on
 * x86_64). Looked for above each stack pointer, then along glibc's list of stacks (struct pthread.list,
 * the two words before tid), then at the ends of writable mappings. Where no tid agrees (another PID namespace), TCBs and
 * threads are matched by the order of their tids, else the first TCB above a thread's stack pointer is its own.
 * On aarch64 nothing marks a TCB, so only recorded pointers are given.
 */
export function threadPointers(target: Target): ReadonlyMap<number, Address> {
  const found = new Map<number, Address>()
  const missing = new Map<number, Thread>()
  for (const thread of target.threads()) {
    if (thread.threadPointer === null) missing.set(thread.tid, thread)
    else found.set(thread.tid, thread.threadPointer)
  }
  if (missing.size > 0 && target.machine !== 'aarch64') new Search(target, found, missing).run()
  return found
}

class Search {
  readonly #memory: PageCache
  readonly #word: WordBytes
  readonly #tcbs = new Set<Address>()
  readonly #aboveStack = new Map<number, Address>()
  #tidAt: number

  constructor(
    readonly target: Target,
    readonly found: Map<number, Address>,
    readonly missing: Map<number, Thread>,
  ) {
    this.#memory = new PageCache(target.memory)
    this.#word = target.wordBytes
    this.#tidAt = this.#word === 8 ? 0x2d0 : 0x68
  }

  run(): void {
    for (const tcb of this.found.values()) this.#tcbs.add(tcb)
    this.#aboveStackPointers()
    this.#settle()
    if (!this.#isDone()) this.#regionEnds()
    if (this.missing.size > 0) this.#byPosition()
  }

  // Tells the found TCBs apart by their tids, and follows their lists while that finds more.
  #settle(): void {
    for (let before = -1; before !== this.#tcbs.size; ) {
      before = this.#tcbs.size
      this.#tidAt = this.#findTidOffset()
      for (const tcb of this.#tcbs) {
        const tid = this.#tidOf(tcb, this.#tidAt)
        if (tid === null || !this.missing.has(tid)) continue
        this.found.set(tid, tcb)
        this.missing.delete(tid)
      }
      if (this.missing.size > 0) this.#followLists()
    }
  }

  #tidOf(tcb: Address, at: number): number | null {
    const tid = this.#memory.word(tcb + BigInt(at), 4)
    return tid === null ? null : Number(tid)
  }

  // Where the most of the target's tids stand in TCBs; the usual place unless another one is better.
  #findTidOffset(): number {
    const tids = new Set([...this.missing.keys(), ...this.found.keys()])
    const count = (at: number): number => {
      const here = [...this.#tcbs].slice(0, 64).map((tcb) => this.#tidOf(tcb, at))
      return new Set(here.filter((tid) => tid !== null && tids.has(tid))).size
    }
    let best = this.#tidAt
    let most = count(best)
    if (most > 0) return best
    for (let at = 0x40; at < 0x400; at += 4) {
      const here = count(at)
      if (here > most) [best, most] = [at, here]
    }
    return best
  }

  #aboveStackPointers(): void {
    const regions = this.target.regions()
    for (const { tid, stackPointer } of this.missing.values()) {
      const region = stackPointer === null ? null : regionAt(regions, stackPointer)
      if (stackPointer === null || region === null || !isWritable(region) || region.path === '[stack]')
        continue
      const from = address(stackPointer & ~15n)
      const end = region.end - from > MOST_STACK_BYTES ? offset(from, MOST_STACK_BYTES) : region.end
      const [tcb] = tcbsIn(this.target.memory, from, end, this.#word, 1)
      if (tcb === undefined) continue
      this.#tcbs.add(tcb)
      this.#aboveStack.set(tid, tcb)
    }
  }

  // list_t {next, prev} in front of tid links the stacks in use; list heads are in ld.so's or libpthread's data,
  // those of glibc's own stacks and of the program's (and main's) next to each other.
  #followLists(): void {
    const word = this.#word
    const listAt = BigInt(this.#tidAt - 2 * word)
    const seen = new Set<bigint>()
    const walk = (first: bigint): void => {
      let node: bigint = first
      while (!seen.has(node) && seen.size < MOST_LIST_STEPS) {
        const next = this.#memory.word(node, word)
        if (next === null || this.#memory.word(next + BigInt(word), word) !== node) return
        seen.add(node)
        const tcb = node - listAt
        if (tcb > 0n && this.#isTcb(tcb)) this.#tcbs.add(address(tcb))
        else heads.push(node)
        node = next
      }
    }
    const heads: bigint[] = []
    for (const tcb of [...this.#tcbs]) walk(tcb + listAt)
    for (const head of [...heads]) for (const side of [-2, 2]) walk(head + BigInt(side * word))
  }

  #isTcb(at: bigint): boolean {
    const self = this.#memory.word(at, this.#word)
    return self === at && this.#memory.word(at + BigInt(2 * this.#word), this.#word) === at
  }

  // The main thread's TCB is in a small mapping of ld.so's making, or at the start of a static program's [heap].
  #regionEnds(): void {
    const regions = this.target.regions().filter((region) => isWritable(region) && region.path !== '[stack]')
    let budget = MOST_READ_BYTES
    for (const region of [...regions].sort((a, b) => sizeOf(a) - sizeOf(b))) {
      const bytes = Math.min(TAIL_BYTES, sizeOf(region))
      const from = region.path === '[heap]' ? region.start : offset(region.end, -bytes)
      const end = offset(from, bytes)
      if (this.target.residentBytes(from, end) === 0) continue
      budget -= bytes
      if (budget < 0) return
      const before = this.#tcbs.size
      for (const tcb of tcbsIn(this.target.memory, from, end, this.#word)) this.#tcbs.add(tcb)
      if (this.#tcbs.size > before) this.#settle()
      if (this.#isDone()) return
    }
  }

  // No tid agrees. Tids rise in the order of birth in every PID namespace, so where there are as many live TCBs as
  // threads, both have the same order; what the stack pointers tell must not speak against it.
  #byPosition(): void {
    if (this.found.size > 0) return
    const threads = [...this.missing.keys()].sort((a, b) => a - b)
    const tcbs = this.#living().sort((a, b) => a.tid - b.tid)
    const agrees = threads.every((tid, i) => (this.#aboveStack.get(tid) ?? tcbs[i]?.tcb) === tcbs[i]?.tcb)
    if (tcbs.length === threads.length && agrees) {
      threads.forEach((tid, i) => {
        this.found.set(tid, tcbs[i]!.tcb)
      })
    } else for (const [tid, tcb] of this.#aboveStack) this.found.set(tid, tcb)
  }

  // The kernel clears the tid of a thread that ends; its stack may be kept for the next one.
  #living(): { tcb: Address; tid: number }[] {
    return [...this.#tcbs].flatMap((tcb) => {
      const tid = this.#tidOf(tcb, this.#tidAt)
      return tid ? { tcb, tid } : []
    })
  }

  #isDone(): boolean {
    return this.missing.size === 0 || this.#living().length >= this.missing.size + this.found.size
  }
}

function isWritable({ permissions: p }: Region): boolean {
  return p.read && p.write && !p.shared
}
