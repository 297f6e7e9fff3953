// Sizes, counts and percentages for people.
import t from 'tap'
import { bytesText, countOf, countText, percentOf, percentText } from '../../src/format/sizes.js'

t.test('bytes', async (t) => {
  const cases: [number | null, string][] = [
    [null, 'unknown'],
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [4112, '4.0 KiB'],
    [1024 ** 2 - 1, '1023.9 KiB'],
    [13_678_000_000, '12.7 GiB'],
    [-2048, '-2.0 KiB'],
    [1024 ** 2, '1.0 MiB'],
    // 1.0999… KiB and 1.1 KiB: cut off, never rounded up.
    [1126, '1.0 KiB'],
    [1127, '1.1 KiB'],
    [2 ** 47, '128.0 TiB'],
    [2 ** 64, '16.0 EiB'],
  ]
  for (const [bytes, text] of cases) t.equal(bytesText(bytes), text)
})

t.test('counts and percentages', async (t) => {
  t.equal(countText(4310002), '4,310,002')
  t.equal(countText(null), 'unknown')
  t.same(
    [0, 1, 4310002, null].map((count) => countOf(count, 'arena')),
    ['0 arenas', '1 arena', '4,310,002 arenas', 'unknown arenas'],
  )
  t.equal(percentText(percentOf(1, 64)), '1.6 %')
  t.equal(percentText(percentOf(1, 1e9)), '<0.1 %')
  t.equal(percentText(percentOf(0, 5)), '0.0 %')
  t.equal(percentText(percentOf(5, 5)), '100.0 %')
  t.equal(percentText(percentOf(5, 0)), 'unknown')
  t.equal(percentText(percentOf(null, 5)), 'unknown')
})
