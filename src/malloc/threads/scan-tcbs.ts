// Thread control blocks of x86 in a stretch of memory: words that hold their own address, twice.
import { type Address, offset } from '../../memory/address.js'
import type { MemorySource } from '../../memory/memory-source.js'
import type { WordBytes } from '../layout.js'

const BLOCK_BYTES = 64 << 10
const PAGE_BYTES = 4096
/** TCBs are aligned to 64 bytes on x86_64 and to 16 on i386 (TCB_ALIGNMENT, sysdeps/x86). */
const STEP = 16

/**
 * Places in [from, end) that look like a tcbhead_t (sysdeps/x86/nptl/tls.h: `tcb`, `dtv`, `self`, where tcb and self
 * are its own address and dtv is not null), rising, at most `limit`. Pages that cannot be read are stepped over.
 * `from` must be a multiple of 16.
 */
export function tcbsIn(
  memory: MemorySource,
  from: Address,
  end: Address,
  word: WordBytes,
  limit = Number.POSITIVE_INFINITY,
): readonly Address[] {
  const found: Address[] = []
  const head = 3 * word
  const block = new Uint8Array(BLOCK_BYTES)
  for (let at = from; at < end; ) {
    const wanted = Number(end - at < BLOCK_BYTES ? end - at : BigInt(BLOCK_BYTES))
    const got = memory.read(at, block.subarray(0, wanted))
    const view = new DataView(block.buffer, 0, got)
    for (let i = 0; i + head <= got; i += STEP) {
      if (!holdsItself(view, i, at, word)) continue
      found.push(offset(at, i))
      if (found.length >= limit) return found
    }
    if (got < wanted) at = nextPage(offset(at, got))
    else if (got === BLOCK_BYTES) at = offset(at, BLOCK_BYTES - 2 * STEP)
    else return found
  }
  return found
}

function holdsItself(view: DataView, i: number, base: Address, word: WordBytes): boolean {
  // The low halves decide nearly always, so wide numbers are rarely made.
  const low = (Number(base & 0xffffffffn) + i) >>> 0
  if (view.getUint32(i, true) !== low || view.getUint32(i + 2 * word, true) !== low) return false
  if (word === 4) return view.getUint32(i + word, true) !== 0
  const whole = base + BigInt(i)
  if (view.getBigUint64(i, true) !== whole || view.getBigUint64(i + 16, true) !== whole) return false
  return view.getBigUint64(i + 8, true) !== 0n
}

function nextPage(at: Address): Address {
  return offset(at, PAGE_BYTES - Number(at & 0xfffn))
}
