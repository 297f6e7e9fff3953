// Arenas guessed by shape, and pieces added up by what they have in common.
import t from 'tap'
import { type Claim, categorize } from '../../src/maps/categorize.js'
import { groupRegions } from '../../src/maps/group-regions.js'
import { guessArenaClaims } from '../../src/maps/guess-arena-claims.js'
import { address } from '../../src/memory/address.js'
import { parseMaps } from '../../src/target/live/proc-maps.js'

const MIB = 2 ** 20

function claim(start: bigint, bytes: number, category: Claim['category']): Claim {
  return { start: address(start), end: address(start + BigInt(bytes)), category }
}

t.test('arenas by shape', async (t) => {
  const guess = (maps: string) =>
    guessArenaClaims(parseMaps(maps)).map(({ start, end, category }) => [
      start.toString(16),
      Number(end - start),
      category.slice(13),
    ])
  const one =
    '7f0000000000-7f0000100000 rw-p 00000000 00:00 0\n7f0000100000-7f0004000000 ---p 00000000 00:00 0\n'
  const heap = [
    ['7f0000000000', MIB, 'committed'],
    ['7f0000100000', 63 * MIB, 'reserved'],
  ]
  t.same(guess(one), heap)
  t.same(
    guess(`${one}7f1000000000-7f1008000000 rwxp 00000000 00:00 0\n`),
    [...heap, ['7f1000000000', 128 * MIB, 'committed']],
    'two full heaps',
  )
  t.same(guess('7f1000000000-7f1008000000 rwxp 00000000 00:00 0\n'), [], 'no rest anywhere: not believed')
  t.same(
    guess(
      '7f0000000000-7f0008100000 rw-p 00000000 00:00 0\n7f0008100000-7f000c001000 ---p 00000000 00:00 0\n',
    ),
    [
      ['7f0000000000', 129 * MIB, 'committed'],
      ['7f0008100000', 63 * MIB, 'reserved'],
    ],
    'two full heaps and a third in one mapping; a guard merged behind',
  )
  t.same(
    guess(
      '7effff000000-7f0000100000 rw-p 00000000 00:00 0\n7f0000100000-7f0004000000 ---p 00000000 00:00 0\n',
    ),
    heap,
    'other memory merged in front',
  )
  t.same(
    guess('c000000000-c000400000 rw-p 00000000 00:00 0\nc000400000-c004000000 ---p 00000000 00:00 0\n'),
    [],
    'Go’s heap',
  )
  for (const not of [
    '7f0000100000-7f0003fff000 ---p',
    '7f0000100000-7f0004000000 r--p',
    '7f0000101000-7f0004000000 ---p',
  ]) {
    t.same(guess(`7f0000000000-7f0000100000 rw-p 00000000 00:00 0\n${not} 00000000 00:00 0\n`), [], not)
  }
  t.same(
    guess('f7000000-f7021000 rw-p 00000000 00:00 0\nf7021000-f7100000 ---p 00000000 00:00 0\n'),
    [
      ['f7000000', 0x21000, 'committed'],
      ['f7021000', 0xdf000, 'reserved'],
    ],
    'a 32-bit process: heaps of 1 MiB',
  )
})

t.test('groups', async (t) => {
  const regions = parseMaps(`00400000-00403000 r-xp 00000000 08:02 1 /bin/sh
7f0000000000-7f0000001000 r--p 00000000 08:02 2 /lib/libc.so.6
7f0000001000-7f0000002000 rw-p 00001000 08:02 2 /lib/libc.so.6
7f0000100000-7f0000105000 r--s 00000000 08:02 3 /usr/share/locale/de.mo
7f0000200000-7f0000209000 rw-p 00000000 00:00 0
7ffc00000000-7ffc00001000 rw-p 00000000 00:00 0 [stack]
`)
  const { pieces } = categorize({
    regions,
    threads: [],
    claims: [claim(0x7f0000202000n, 0x1000, 'mmapped chunks')],
    residentBytes: () => 1,
  })
  const short = (by: Parameters<typeof groupRegions>[1]) =>
    groupRegions(pieces, by).map((row) => [row.key, row.mappings, row.virtualBytes >> 12, row.residentBytes])
  t.same(short('suffix'), [
    ['[anon]', 1, 9, 3],
    ['.mo', 1, 5, 1],
    ['[no suffix]', 1, 3, 1],
    ['.so', 2, 2, 2],
    ['[stack]', 1, 1, 1],
  ])
  t.same(short('path')[3], ['/lib/libc.so.6', 2, 2, 2])
  t.same(short('permissions'), [
    ['rw-p', 3, 11, 5],
    ['r--s', 1, 5, 1],
    ['r-xp', 1, 3, 1],
    ['r--p', 1, 1, 1],
  ])
  t.same(short('category').slice(0, 3), [
    ['other anonymous', 1, 8, 2],
    ['files', 1, 5, 1],
    ['program', 1, 3, 1],
  ])
  t.same(groupRegions([], 'path'), [])
})
