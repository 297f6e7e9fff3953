// The texts of /proc that live targets and saved files are read from.
import t from 'tap'
import { permissionText } from '../../src/memory/region.js'
import { parseAuxv } from '../../src/target/live/auxv.js'
import { parseMaps } from '../../src/target/live/proc-maps.js'
import { parseSmaps } from '../../src/target/live/proc-smaps.js'
import { parseStackPointer } from '../../src/target/live/threads.js'

const MAPS = `00400000-00452000 r-xp 00000000 08:02 173521      /usr/bin/my program
00e03000-00e24000 rw-p 00000000 00:00 0           [heap]
35b1a21000-35b1a22000 rw-s 0001f000 fd:1a 135870  /srv/a\\012b.dat (deleted)
7f0000000000-7f0004000000 ---p 00000000 00:00 0 
7f0004000000-7f0004001000 rwxp 00000000 00:00 0
7f0004001000-7f0004002000 rw-p 00000000 00:00 0                          [anon: glibc: malloc arena]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
`

t.test('maps lines', async (t) => {
  const regions = parseMaps(MAPS)
  t.same(
    regions.map((r) => [r.path, permissionText(r.permissions), r.device, r.inode]),
    [
      ['/usr/bin/my program', 'r-xp', '08:02', 173521n],
      ['[heap]', 'rw-p', '00:00', 0n],
      ['/srv/a\nb.dat (deleted)', 'rw-s', 'fd:1a', 135870n],
      [null, '---p', '00:00', 0n],
      [null, 'rwxp', '00:00', 0n],
      ['[anon: glibc: malloc arena]', 'rw-p', '00:00', 0n],
      ['[vsyscall]', '--xp', '00:00', 0n],
    ],
  )
  t.equal(regions[2]!.fileOffset, 0x1f000n)
  t.equal(regions[6]!.start, 0xffffffffff600000n as (typeof regions)[6]['start'])
  t.same(parseMaps(MAPS.replaceAll('\n', '\r\n')), regions, 'a copy with CRLF line ends')
  t.same(parseMaps(''), [])
})

t.test('a saved smaps file is a maps file with more lines', async (t) => {
  const smaps = MAPS.split('\n')
    .filter((line) => line !== '')
    .map(
      (line) =>
        `${line}\nSize:    4 kB\nRss:     4 kB\nTHPeligible:    0\nProtectionKey:   0\nVmFlags: rd ex mr mw me\n`,
    )
    .join('')
  t.same(parseMaps(smaps), parseMaps(MAPS))
})

t.test('a bad line is named by its number', async (t) => {
  const first = MAPS.slice(0, MAPS.indexOf('\n') + 1)
  const bad: [string, RegExp][] = [
    [`${first}hello`, /^line 2 is not a line of maps: "hello"/],
    [`${first}\n00e03000-00e24000 rw-q 00000000 00:00 0`, /^line 3 is not a line/],
    [`${first}00451000-00453000 rw-p 00000000 00:00 0`, /^line 2 overlaps/],
    ['00400000-00400000 rw-p 00000000 00:00 0', /^line 1 overlaps the line before or is empty/],
    ['1ffffffffffffffff-2ffffffffffffffff rw-p 00000000 00:00 0', /^line 1 is not/],
    ['00400000-7ffffffff000 ---p 00000000 00:00 0   [rollup]', /^line 1 is not/],
  ]
  for (const [text, message] of bad) t.throws(() => parseMaps(text), { name: 'TargetError', message })
})

t.test('smaps: huge pages of hugetlbfs are told apart from Rss, which leaves them out', async (t) => {
  const text = `00400000-00452000 r-xp 00000000 08:02 1   /bin/x
Rss:                  16 kB
Pss:                   3 kB
Shared_Clean:          4 kB
Private_Clean:         4 kB
Private_Dirty:         8 kB
Swap:                 12 kB
AnonHugePages:         0 kB
Shared_Hugetlb:        0 kB
Private_Hugetlb:    2048 kB
00e03000-00e24000 rw-p 00000000 00:00 0           [heap]
Rss:                   4 kB
AnonHugePages:         4 kB
VmFlags: rd wr mr mw me lo ac
`
  const none = { privateBytes: 0, swapBytes: 0, hugeBytes: 0, hugetlbBytes: 0, locked: false }
  t.same(parseSmaps(text), [
    {
      start: 0x400000n,
      end: 0x452000n,
      ...none,
      residentBytes: 16384,
      privateBytes: 12288,
      swapBytes: 12288,
      hugetlbBytes: 2 ** 21,
    },
    { start: 0xe03000n, end: 0xe24000n, ...none, residentBytes: 4096, hugeBytes: 4096, locked: true },
  ])
  t.throws(() => parseSmaps('Rss:   4 kB\n'), { name: 'TargetError', message: /^line 1 / })
})

t.test('the stack pointer of a syscall text', async (t) => {
  t.equal(
    parseStackPointer('34 0x0 0x0 0x2 0x8 0x0 0x7ffd 0x7f5a6f063ea0 0x7f5a6f95cdf2\n'),
    0x7f5a6f063ea0n as never,
  )
  t.equal(parseStackPointer('-1 0x7ffc10 0x7f00\n'), 0x7ffc10n as never, 'blocked outside of a system call')
  for (const text of ['running\n', '', '-1 0x0 0x0\n', '34 what ever\n'])
    t.equal(parseStackPointer(text), null, text)
})

t.test('auxv in both widths', async (t) => {
  const wide = new Uint8Array(new BigUint64Array([3n, 0x400040n, 6n, 4096n, 0n, 0n]).buffer)
  t.same(parseAuxv(wide, 8), { programHeaders: 0x400040n, pageBytes: 4096 })
  const narrow = new Uint8Array(new Uint32Array([6, 65536, 0, 0]).buffer)
  t.same(parseAuxv(narrow, 4), { programHeaders: null, pageBytes: 65536 })
  t.same(parseAuxv(new Uint8Array(0), 8), { programHeaders: null, pageBytes: null })
})
