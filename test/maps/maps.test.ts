// Categories of an address space: fixtures for each rule, a property over all spaces, and real processes.

import fc from 'fast-check'
import t from 'tap'
import { CATEGORIES } from '../../src/maps/categories.js'
import { type Claim, categorize } from '../../src/maps/categorize.js'
import { groupRegions } from '../../src/maps/group-regions.js'
import { address } from '../../src/memory/address.js'
import { sizeOf } from '../../src/memory/region.js'
import { parseMaps } from '../../src/target/live/proc-maps.js'
import type { Thread } from '../../src/target/target.js'

const MIB = 2 ** 20

function thread(tid: number, stackPointer: bigint | null): Thread {
  return {
    tid,
    name: null,
    stackPointer: stackPointer === null ? null : address(stackPointer),
    threadPointer: null,
  }
}

function claim(start: bigint, bytes: number, category: Claim['category']): Claim {
  return { start: address(start), end: address(start + BigInt(bytes)), category }
}

/** Category of each piece of a maps text, by start address in hex. */
function categoriesOf(
  maps: string,
  more: { threads?: Thread[]; claims?: Claim[]; programPath?: string } = {},
) {
  const { pieces } = categorize({ regions: parseMaps(maps), threads: [], claims: [], ...more })
  return Object.fromEntries(pieces.map((piece) => [piece.start.toString(16), piece.category]))
}

t.test('names', async (t) => {
  const found = categoriesOf(`00400000-00401000 r--p 00000000 08:02 1 /opt/my prog
00401000-00402000 r-xp 00001000 08:02 1 /opt/my prog
00402000-00403000 rw-p 00002000 08:02 1 /opt/my prog
00403000-00500000 rw-p 00000000 00:00 0
00600000-00700000 rw-p 00000000 00:00 0 [heap]
7f0000000000-7f0000001000 rw-p 00000000 00:00 0 [anon:jemalloc]
7f0000001000-7f0000002000 ---p 00000000 00:00 0 [anon:jemalloc]
7f0000010000-7f0000011000 rw-p 00000000 00:00 0 [anon: glibc: malloc arena]
7f0000011000-7f0000012000 ---p 00000000 00:00 0 [anon: glibc: malloc arena]
7f0000012000-7f0000013000 rw-p 00000000 00:00 0 [anon: glibc: malloc]
7f0000100000-7f0000101000 r--p 00000000 08:02 2 /lib/libx.so.6 (deleted)
7f0000101000-7f0000102000 ---p 00001000 08:02 2 /lib/libx.so.6 (deleted)
7f0000102000-7f0000103000 rw-p 00002000 08:02 2 /lib/libx.so.6 (deleted)
7f0000103000-7f0000104000 rw-p 00000000 00:00 0
7f0000104000-7f0000105000 ---p 00000000 00:00 0
7f0000200000-7f0000201000 r--p 00000000 08:02 3 /usr/lib/addon.node
7f0000201000-7f0000202000 r-xp 00001000 08:02 3 /usr/lib/addon.node
7f0000300000-7f0000301000 r--p 00000000 08:02 4 /usr/lib/locale/C.utf8/LC_TIME
7f0000301000-7f0000302000 rw-p 00000000 00:00 0
7f0000400000-7f0000401000 rw-s 00000000 00:01 5 /dev/zero (deleted)
7f0000402000-7f0000403000 rw-s 00000000 00:01 6 /SYSV00000000 (deleted)
7f0000404000-7f0000405000 rw-s 00000000 00:19 7 /dev/shm/pool
7f0000406000-7f0000407000 r-xs 00000000 00:01 8 /memfd:jit (deleted)
7f0000408000-7f0000409000 rw-p 00000000 00:01 9 /dev/zero
7f000040a000-7f000040b000 rw-p 00000000 00:01 9 /anon_hugepage (deleted)
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0 [stack]
7ffc00100000-7ffc00104000 r--p 00000000 00:00 0 [vvar]
7ffc00104000-7ffc00106000 r--p 00000000 00:00 0 [vvar_vclock]
7ffc00106000-7ffc00108000 r-xp 00000000 00:00 0 [vdso]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]
`)
  t.same(found, {
    '400000': 'program',
    '401000': 'program',
    '402000': 'program',
    '403000': 'program',
    '600000': 'main heap',
    '7f0000000000': 'other anonymous',
    '7f0000001000': 'other reserved',
    '7f0000010000': 'arena heaps, committed',
    '7f0000011000': 'arena heaps, reserved',
    '7f0000012000': 'mmapped chunks',
    '7f0000100000': 'shared libraries',
    '7f0000101000': 'shared libraries',
    '7f0000102000': 'shared libraries',
    '7f0000103000': 'shared libraries',
    '7f0000104000': 'other reserved',
    '7f0000200000': 'shared libraries',
    '7f0000201000': 'shared libraries',
    '7f0000300000': 'files',
    '7f0000301000': 'other anonymous',
    '7f0000400000': 'shared memory',
    '7f0000402000': 'shared memory',
    '7f0000404000': 'shared memory',
    '7f0000406000': 'shared memory',
    '7f0000408000': 'other anonymous',
    '7f000040a000': 'other anonymous',
    '7ffc00000000': 'main stack',
    '7ffc00100000': 'kernel (vdso)',
    '7ffc00104000': 'kernel (vdso)',
    '7ffc00106000': 'kernel (vdso)',
    ffffffffff600000: 'kernel (vdso)',
  })
})

const STACKS = `7f0000000000-7f0000001000 ---p 00000000 00:00 0
7f0000001000-7f0000801000 rwxp 00000000 00:00 0
7f0000801000-7f0000802000 ---p 00000000 00:00 0
7f0000802000-7f0000842000 rw-p 00000000 00:00 0
7f0000842000-7f0000843000 ---p 00000000 00:00 0
7f0000843000-7f0000846000 rw-p 00000000 00:00 0
7f0001000000-7f0003000000 rw-p 00000000 00:00 0
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0
`

t.test('thread stacks', async (t) => {
  t.same(
    categoriesOf(STACKS),
    {
      '7f0000000000': 'stack guards',
      '7f0000001000': 'thread stacks',
      '7f0000801000': 'stack guards',
      '7f0000802000': 'thread stacks',
      '7f0000842000': 'other reserved',
      '7f0000843000': 'other anonymous',
      '7f0001000000': 'other anonymous',
      '7ffc00000000': 'other anonymous',
    },
    'by shape, memory being executable or not',
  )

  const threads = [
    thread(12, 0x7f0001800000n),
    thread(10, 0x7ffc00020000n),
    thread(11, 0x7f0001900000n),
    thread(13, 0x7f0000843100n),
  ]
  t.same(
    categoriesOf(STACKS, { threads }),
    {
      '7f0000000000': 'stack guards',
      '7f0000001000': 'thread stacks',
      '7f0000801000': 'other reserved',
      '7f0000802000': 'other anonymous',
      '7f0000842000': 'stack guards',
      '7f0000843000': 'thread stacks',
      '7f0001000000': 'thread stacks',
      '7ffc00000000': 'main stack',
    },
    'by stack pointers: two stacks in one mapping, an odd size; then only known sizes go by shape',
  )

  const merged = categoriesOf(
    '7f0000000000-7f0004001000 ---p 00000000 00:00 0\n7f0004001000-7f0004801000 rw-p 00000000 00:00 0\n',
    {
      claims: [claim(0x7f0000000000n, 64 * MIB, 'arena heaps, reserved')],
    },
  )
  t.same(
    merged,
    {
      '7f0000000000': 'arena heaps, reserved',
      '7f0004000000': 'stack guards',
      '7f0004001000': 'thread stacks',
    },
    'a guard that merged with the end of a heap',
  )

  const coroutine = categoriesOf(STACKS, {
    threads: [thread(12, 0x7f0001800000n)],
    claims: [claim(0x7f0001000000n, 32 * MIB, 'mmapped chunks')],
  })
  t.equal(coroutine['7f0001000000'], 'mmapped chunks', 'a stack in malloc’s memory is malloc’s')
})

t.test('READ_IMPLIES_EXEC: executable data files are files', async (t) => {
  const maps = (stack: string) => `00400000-00401000 rwxp 00000000 08:02 1 /bin/old
7f0000000000-7f0000001000 r-xp 00000000 08:02 2 /usr/share/data
7f0000100000-7f0000101000 rwxp 00000000 08:02 3 /lib/libc-2.17.so
7ffc00000000-7ffc00021000 ${stack} 00000000 00:00 0 [stack]
`
  t.match(categoriesOf(maps('rwxp')), {
    '400000': 'program',
    '7f0000000000': 'files',
    '7f0000100000': 'shared libraries',
  })
  t.match(categoriesOf(maps('rw-p')), { '7f0000000000': 'shared libraries' })
  t.match(categoriesOf(maps('rw-p'), { programPath: '/usr/share/data' }), {
    '400000': 'shared libraries',
    '7f0000000000': 'program',
  })
})

t.test('a claim splits a mapping; where claims overlap the first wins', async (t) => {
  const regions = parseMaps(
    '7f0000000000-7f0000010000 rw-p 00000000 00:00 0\n7f0000010000-7f0000020000 ---p 00000000 00:00 0\n',
  )
  const claims = [
    claim(0x7f0000002000n, 0x2000, 'mmapped chunks'),
    claim(0x7f0000004000n, 0x1000, 'mmapped chunks'),
    claim(0x7f0000003000n, 0x9000, 'arena heaps, committed'),
    claim(0x7f000000c000n, 0x8000, 'arena heaps, reserved'),
    claim(0x7f000001f000n, 0x9000, 'main heap'),
    claim(0x7f0000005000n, 0, 'program'),
  ]
  const { pieces, sums } = categorize({ regions, threads: [], claims })
  t.same(
    pieces.map(({ start, end, category }) => [
      Number(start & 0xfffffn) >> 12,
      Number(end & 0xfffffn) >> 12,
      category,
    ]),
    [
      [0x0, 0x2, 'other anonymous'],
      [0x2, 0x5, 'mmapped chunks'],
      [0x5, 0xc, 'arena heaps, committed'],
      [0xc, 0x10, 'arena heaps, reserved'],
      [0x10, 0x14, 'arena heaps, reserved'],
      [0x14, 0x1f, 'other reserved'],
      [0x1f, 0x20, 'main heap'],
    ],
  )
  t.match(sums[1], {
    category: 'arena heaps, reserved',
    mappings: 2,
    virtualBytes: 0x8000,
    residentBytes: null,
  })
})

t.test('residency is asked for each piece, and unknown in part is unknown in sum', async (t) => {
  const regions = parseMaps(
    '7f0000000000-7f0000010000 rw-p 00000000 00:00 0\n7f0000020000-7f0000030000 rw-p 00000000 00:00 0\n',
  )
  const claims = [claim(0x7f0000000000n, 0x1000, 'mmapped chunks')]
  const known = categorize({
    regions,
    threads: [],
    claims,
    residentBytes: (start, end) => Number(end - start) / 2,
  })
  t.same(
    known.sums.map((s) => s.residentBytes),
    [0x800, (0xf000 + 0x10000) / 2],
  )
  const partly = categorize({
    regions,
    threads: [],
    claims,
    residentBytes: (start) => (start === regions[1]!.start ? null : 4096),
  })
  t.same(
    partly.sums.map((s) => s.residentBytes),
    [4096, null],
  )
  t.same(categorize({ regions: [], threads: [], claims }), { pieces: [], sums: [] })
})

t.test('any space, any claims: the pieces tile the regions, and claims are honoured', async (t) => {
  const path = fc.constantFrom(
    null,
    null,
    null,
    '[heap]',
    '[stack]',
    '/bin/x',
    '/lib/a.so',
    '/dev/shm/x',
    '[vdso]',
    '[anon:x]',
  )
  const region = fc.record({
    gap: fc.constantFrom(0, 0, 1, 3),
    pages: fc.integer({ min: 1, max: 40 }),
    bits: fc.nat(15),
    path,
  })
  const claims = fc.array(
    fc.record({ start: fc.nat(400), pages: fc.nat(60), category: fc.constantFrom(...CATEGORIES) }),
    { maxLength: 12 },
  )
  const threads = fc.array(fc.option(fc.nat(400)), { maxLength: 4 })
  const at = (page: number) => address(BigInt(page) * 4096n)
  fc.assert(
    fc.property(fc.array(region, { maxLength: 12 }), claims, threads, (shapes, claimed, pointers) => {
      let next = 1
      const regions = shapes.map(({ gap, pages, bits, path }) => {
        const first = next + gap
        next = first + pages
        const permissions = {
          read: bits % 2 > 0,
          write: (bits & 2) > 0,
          execute: (bits & 4) > 0,
          shared: bits > 13,
        }
        return { start: at(first), end: at(next), permissions, fileOffset: 0n, path }
      })
      const { pieces, sums } = categorize({
        regions,
        threads: pointers.map((page, i) => thread(i, page === null ? null : at(page))),
        claims: claimed.map(({ start, pages, category }) => ({
          start: at(start),
          end: at(start + pages),
          category,
        })),
      })
      const covered = new Map<number, string>()
      for (const { start, end, category, region } of pieces) {
        if (start < region.start || end > region.end) throw new Error('a piece leaves its region')
        for (let page = Number(start / 4096n); page < Number(end / 4096n); page++) {
          if (covered.has(page)) throw new Error('pieces overlap')
          covered.set(page, category)
        }
      }
      const total = regions.reduce((n, r) => n + sizeOf(r), 0)
      const asked = (page: number) =>
        claimed.find(({ start, pages }) => page >= start && page < start + pages)?.category
      const inSums = sums.reduce((n, s) => n + s.virtualBytes, 0)
      const inGroups = groupRegions(pieces, 'permissions').reduce((n, row) => n + row.virtualBytes, 0)
      return (
        covered.size * 4096 === total &&
        inSums === total &&
        inGroups === total &&
        [...covered].every(([page, category]) => (asked(page) ?? category) === category)
      )
    }),
    { numRuns: 500 },
  )
  t.pass('500 address spaces')
})
