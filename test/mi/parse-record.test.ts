import fc from 'fast-check'
import t from 'tap'
import { LineReader } from '../../src/mi/line-reader.js'
import { decodeText, MiSyntaxError, parseRecord } from '../../src/mi/parse-record.js'
import { cliQuote, miQuote } from '../../src/mi/quote.js'
import { field, insideField, type MiResult, type MiValue, textField } from '../../src/mi/record.js'

const bytes = (text: string) => Buffer.from(text, 'utf8')
const parse = (text: string) => parseRecord(bytes(text))

function write(value: MiValue): string {
  if (typeof value === 'string') return `"${octal(value)}"`
  const inside = value.results.map(writeResult).join(',')
  return value.kind === 'tuple' ? `{${inside}}` : `[${inside}]`
}

function writeResult({ name, value }: MiResult): string {
  return name === null ? write(value) : `${name}=${write(value)}`
}

/** As gdb in the C locale writes text: everything that is not plain ASCII as octal bytes. */
function octal(text: string): string {
  return [...Buffer.from(text, 'utf8')]
    .map((byte) => {
      const character = String.fromCharCode(byte)
      if (character === '"' || character === '\\') return `\\${character}`
      return byte < 0x20 || byte > 0x7e ? `\\${byte.toString(8).padStart(3, '0')}` : character
    })
    .join('')
}

const text = fc.string({ unit: 'grapheme', maxLength: 20 })
const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_-]{0,12}$/)
const { value } = fc.letrec<{ value: MiValue; result: MiResult }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    text,
    fc.record({
      kind: fc.constantFrom('tuple' as const, 'list' as const),
      results: fc.array(tie('result'), { maxLength: 4 }),
    }),
  ),
  result: fc.record({ name: fc.option(name), value: tie('value') }),
}))
const record = fc.record({
  token: fc.option(fc.nat()),
  sign: fc.constantFrom('^', '*', '+', '='),
  recordClass: name,
  results: fc.array(fc.record({ name: fc.option(name), value }), { maxLength: 4 }),
})
const line = record.map(
  (r) =>
    `${r.token ?? ''}${r.sign}${r.recordClass}${r.results.map((result) => `,${writeResult(result)}`).join('')}`,
)

t.test('records as gdb writes them', async (t) => {
  t.same(parse('(gdb) '), { type: 'prompt' })
  t.same(parse('(gdb)'), { type: 'prompt' })
  t.same(parse('12^done'), { type: 'result', token: 12, resultClass: 'done', results: [] })
  const table = parse('^done,BreakpointTable={nr_rows="1",body=[bkpt={number="1"},{number="1.1"}]}')
  t.ok(table.type === 'result')
  if (table.type !== 'result') return
  const rows = insideField(insideField(table.results, 'BreakpointTable'), 'body')
  t.same(
    rows.map((row) => row.name),
    ['bkpt', null],
  )
  t.equal(field(table.results, 'nope'), undefined)
  t.equal(textField(table.results, 'BreakpointTable'), undefined)
  t.match(parse('=OSDataTable,col0="x"'), { type: 'notify', asyncClass: 'OSDataTable' })
  t.match(parse('*stopped,reason="exited-normally"'), { type: 'exec', asyncClass: 'stopped' })
  t.match(parse('+download,{section=".text"}'), { type: 'status' })
  const console = parse('~"a\\tb\\n\\"\\\\\\033[m \\303\\251\u2028"')
  t.equal(console.type === 'console' && decodeText(console.bytes), 'a\tb\n"\\\x1b[m é\u2028')
  t.same(parse('^done,a="%41\\045"'), {
    type: 'result',
    token: null,
    resultClass: 'done',
    results: [{ name: 'a', value: '%41%' }],
  })
})

t.test('what is no record throws MiSyntaxError', async (t) => {
  for (const bad of [
    '',
    'hello',
    '12',
    '^',
    '^done,',
    '^done,a',
    '^done,a=',
    '^done,a="',
    '^done,a="\\',
    '^done,a="\\q"',
    '^done,a="\\777"',
    '^done,a={',
    '^done,a={b="1"',
    '^done,a={b="1",}',
    '^done,a=[,]',
    '^done,a=["1"}',
    '^done a="1"',
    '^donea,="1"',
    '~',
    '~"x',
    '~"x"y',
    '(gdb) x',
    '99999999999999999999^done',
    `^done,a=${'['.repeat(100_000)}`,
    `^done,a=${'{a='.repeat(100_000)}`,
  ]) {
    t.throws(() => parse(bad), MiSyntaxError, bad.slice(0, 30))
  }
})

t.test('property: what is written is read back', async () => {
  fc.assert(
    fc.property(record, (r) => {
      const written = `${r.token ?? ''}${r.sign}${r.recordClass}${r.results.map((x) => `,${writeResult(x)}`).join('')}`
      const read = parse(written)
      if (!('results' in read)) throw new Error('no results')
      if (JSON.stringify(read.results) !== JSON.stringify(r.results)) throw new Error(JSON.stringify(read))
    }),
  )
})

t.test('property: any bytes, and any cut of a record, are a record or a MiSyntaxError', async () => {
  const settles = (input: Uint8Array) => {
    try {
      parseRecord(input)
    } catch (error) {
      if (!(error instanceof MiSyntaxError)) throw error
    }
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), settles))
  const alphabet = fc.constantFrom(...'^*+=~@&",={}[]\\0a1é'.split(''), 'done')
  fc.assert(fc.property(fc.array(alphabet, { maxLength: 30 }), (parts) => settles(bytes(parts.join('')))))
  fc.assert(
    fc.property(line, fc.nat(), (whole, at) => {
      const input = bytes(whole)
      settles(input.subarray(0, at % (input.length + 1)))
    }),
  )
})

t.test('property: lines come out whole however the bytes are cut', async () => {
  const lineText = fc.string({ unit: 'grapheme' }).filter((s) => !/[\r\n]/.test(s))
  const ends = fc.constantFrom('\n', '\r\n')
  fc.assert(
    fc.property(
      fc.array(fc.tuple(lineText, ends)),
      fc.array(fc.integer({ min: 1, max: 5 })),
      (lines, cuts) => {
        const all = bytes(lines.map((l) => l.join('')).join(''))
        const got: string[] = []
        const reader = new LineReader((part) => got.push(decodeText(part)))
        let at = 0
        for (const cut of cuts) {
          reader.push(all.subarray(at, at + cut))
          at += cut
        }
        reader.push(all.subarray(at))
        reader.end()
        const expected = lines.map((l) => l[0])
        if (JSON.stringify(got) !== JSON.stringify(expected))
          throw new Error(JSON.stringify({ got, expected }))
      },
    ),
  )
})

t.test('a line without end stays bounded', async (t) => {
  const got: number[] = []
  const reader = new LineReader((part) => got.push(part.length), 10)
  for (let i = 0; i < 100; i++) reader.push(bytes('aaaaaaa'))
  reader.push(bytes('\nbb\n'))
  t.same(got, [10, 2])
})

t.test('property: quoting is undone by the parser', async (t) => {
  fc.assert(
    fc.property(text, (any) => {
      const read = parse(`^done,a=${miQuote(any)}`)
      if (read.type !== 'result' || textField(read.results, 'a') !== any) throw new Error(any)
    }),
  )
  t.equal(miQuote('a"b\\c\nd'), '"a\\"b\\\\c\\nd"')
  t.equal(cliQuote('/tmp/a b"c\\d'), '"/tmp/a b\\"c\\\\d"')
})
