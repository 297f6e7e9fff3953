// The rule about another allocator, and the sentence of the same.
import t from 'tap'
import type { Facts } from '../../src/findings/facts.js'
import { otherAllocator } from '../../src/findings/rules/other-allocator.js'
import { allocatorSentence, type OtherAllocator } from '../../src/malloc/detect/other-allocator.js'

const facts = (other: OtherAllocator | null): Facts => ({
  kind: 'core',
  pid: 6,
  threads: 1,
  heap: null,
  otherAllocator: other,
  ledger: null,
  surroundings: null,
  mappings: 0,
  executableHeaps: [],
  anonymous: [],
  categories: [],
})
const jemalloc: OtherAllocator = { name: 'jemalloc', how: 'libjemalloc.so.2 is mapped', place: 'library' }

t.test('the rule', async (t) => {
  t.equal(otherAllocator.check(facts(null), [], {}), null)
  t.match(otherAllocator.check(facts(jemalloc), [], {}), {
    rule: 'other-allocator',
    severity: 'info',
    title: "malloc here is jemalloc: what it serves is not in glibc's arenas",
    nextStep: /MALLOC_CONF=stats_print:true/,
  })
  const musl: OtherAllocator = { name: 'musl', how: 'ld-musl-x86_64.so.1 is mapped', place: 'libc' }
  t.match(otherAllocator.check(facts(musl), [], {}), {
    title: "malloc here is musl's: glibc's is not in this process",
    nextStep: /arena-inspect maps/,
  })
})

t.test('the sentence', async (t) => {
  const totals = { systemBytes: 132 << 10 } as never
  const mmapped = (bytes: number | null) => ({ count: 1, bytes, maxBytes: null, found: [] })
  const who = 'malloc here is jemalloc (libjemalloc.so.2 is mapped)'
  t.equal(
    allocatorSentence(jemalloc, { totals, mmapped: mmapped(0) }),
    `${who}; glibc's arenas hold 132.0 KiB`,
  )
  t.equal(
    allocatorSentence(jemalloc, { totals, mmapped: mmapped(1 << 20) }),
    `${who}; glibc's arenas hold 132.0 KiB and its mmapped chunks 1.0 MiB`,
  )
  t.equal(allocatorSentence(jemalloc, 'unused'), `${who}; glibc's arenas hold 0 B: its malloc was never used`)
  t.match(
    allocatorSentence({ ...jemalloc, place: 'program' }, null),
    /^jemalloc is linked into this program \(/,
  )
})
