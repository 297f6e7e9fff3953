// What reaches the terminal from the target is one line of visible characters, whatever the bytes were.
import fc from 'fast-check'
import t from 'tap'
import { printable } from '../../src/format/printable.js'

t.test('plain text stays as it is', async (t) => {
  for (const text of ['', '/opt/memsql/memsqld', 'libc.so.6+0x96', 'größe 目次 ✓', 'dev\\x2ddisk', 'é'])
    t.equal(printable(text), text)
})

t.test('what acts on a terminal is shown', async (t) => {
  const cases: Record<string, string> = {
    'a\x1b[2Jb': 'a\\x1b[2Jb',
    '\x9b31m': '\\x9b31m',
    'x\ny\tz\r': 'x\\ny\\tz\\r',
    '\0\x07\x7f': '\\x00\\x07\\x7f',
    'exe\u202egnp.sh': 'exe\\u202egnp.sh',
    '\u2066a\u2069': '\\u2066a\\u2069',
    'a\u200bb\ufeff': 'a\\u200bb\\ufeff',
    'line\u2028para\u2029': 'line\\u2028para\\u2029',
    '\ud800 lone': '\\ud800 lone',
    'tag\u{e0041}': 'tag\\u{e0041}',
    'fill\u3164': 'fill\\u3164',
    '\u0301start': '\\u0301start',
    'e\u0301\u0301\u0301\u0301\u0301': 'e\u0301\u0301\u0301\u0301\\u0301',
  }
  for (const [text, shown] of Object.entries(cases)) t.equal(printable(text), shown)
})

t.test('any string: nothing unseen is left, and a second time changes nothing', async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const shown = printable(text)
      t.notOk(/[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u.test(shown))
      return printable(shown) === shown
    }),
  )
})
