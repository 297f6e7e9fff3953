// verifyAgainst: every number that is not glibc's is named, and none that glibc did not print.
import t from 'tap'
import { parseMallocInfo } from '../../src/malloc/malloc-info.js'
import { parseMallocStats } from '../../src/malloc/malloc-stats.js'
import { type MallocFigures, verifyAgainst } from '../../src/malloc/verify.js'

const GIB = 2 ** 30

// Two free chunks of 0x30 (raw: 49 each), three fastbin chunks of 0x20, top of 1000.
function xml({ topInRest }: { topInRest: boolean }): string {
  return `<malloc version="1">
<heap nr="0">
<sizes>
  <size from="17" to="32" total="96" count="3"/>
  <size from="49" to="49" total="98" count="2"/>
</sizes>
<total type="fast" count="3" size="96"/>
<total type="rest" count="${topInRest ? 3 : 2}" size="${topInRest ? 1098 : 98}"/>
<system type="current" size="135168"/>
<system type="max" size="135168"/>
<aspace type="total" size="135168"/>
<aspace type="mprotect" size="135168"/>
</heap>
<total type="fast" count="3" size="96"/>
<total type="rest" count="3" size="1098"/>
<total type="mmap" count="1" size="${5 * GIB}"/>
<system type="current" size="135168"/>
<system type="max" size="135168"/>
<aspace type="total" size="135168"/>
<aspace type="mprotect" size="135168"/>
</malloc>
`
}

const STATS = parseMallocStats(`Arena 0:
system bytes     =     135168
in use bytes     =     133976
Total (incl. mmap):
system bytes     = ${1 * GIB + 135168}
in use bytes     = ${1 * GIB + 133976}
max mmap regions =          1
max mmap bytes   = ${5 * GIB}
`)!

const ARENA = {
  systemBytes: 135168,
  maxSystemBytes: 135168,
  inUseBytes: 133976,
  freeBytes: 1192,
  fastbinBytes: 96,
  topBytes: 1000,
  freeChunks: 5,
}
const OURS: MallocFigures = {
  arenas: [ARENA],
  mmapped: { count: 1, bytes: 5 * GIB, maxBytes: 5 * GIB },
  totals: { systemBytes: 135168, inUseBytes: 133976 },
}

t.test('equal figures, totals modulo 2^32', async (t) => {
  t.same(verifyAgainst(OURS, parseMallocInfo(xml({ topInRest: true })), STATS), [])
})

t.test('before 2.31 top is not in the text', async (t) => {
  const info = parseMallocInfo(xml({ topInRest: false }))
  t.equal(info.heaps[0]!.topInRest, false)
  t.same(verifyAgainst(OURS, info, STATS), [])
})

t.test('each number that differs is named once per place that prints it', async (t) => {
  const info = parseMallocInfo(xml({ topInRest: true }))
  const wrong = (arena: Partial<typeof ARENA>) =>
    verifyAgainst({ ...OURS, arenas: [{ ...ARENA, ...arena }] }, info, STATS)
  t.same(wrong({ freeChunks: 6 }), [{ what: 'arena 0: free chunks', ours: 6, glibcs: 5 }])
  t.same(wrong({ inUseBytes: 1 }), [
    { what: 'arena 0: in use bytes', ours: 1, glibcs: 133976 },
    { what: "malloc_stats' arena 0: in use bytes", ours: 1, glibcs: 133976 },
  ])
  t.same(verifyAgainst({ ...OURS, mmapped: { count: 1, bytes: 4 * GIB } }, info), [
    { what: 'mmapped bytes', ours: 4 * GIB, glibcs: 5 * GIB },
  ])
})

t.test('what we do not know is a difference, and so is an arena too many or too few', async (t) => {
  const info = parseMallocInfo(xml({ topInRest: true }))
  const unknown = { ...OURS, totals: { systemBytes: null, inUseBytes: null } }
  t.same(verifyAgainst(unknown, info), [{ what: 'all arenas: system bytes', ours: null, glibcs: 135168 }])
  t.same(verifyAgainst({ ...OURS, arenas: [ARENA, ARENA] }, info), [{ what: 'arenas', ours: 2, glibcs: 1 }])
  t.same(verifyAgainst({ ...OURS, arenas: [] }, info), [{ what: 'arenas', ours: 0, glibcs: 1 }])
})
