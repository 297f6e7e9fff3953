// A trace in every format: what is in them, losses in each, hostile texts, speedscope's own schema and app.
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import t from 'tap'
import { renderTrace, TRACE_FORMATS } from '../../src/cli/trace-formats.js'
import { readTrace, writeWhole } from '../../src/trace/trace-file.js'
import { fakeGroup, fakeTrace, hostileTrace } from '../fakes/trace.js'
import { closeChromium, noChromium, openInChromium } from '../support/chromium.js'
import { ROOT, scratch } from '../support/programs.js'

t.test('text: sums, the whole stack, births apart, what is missing', async (t) => {
  const text = renderTrace(fakeTrace(), 'text')
  for (const words of [
    'process 6 (/opt/memsqld), recorded by gdb (asked for)',
    'until Ctrl-C',
    '60.0 MiB and more: 200.0 MiB in 2 calls, 100.0 MiB of 1 call still mapped',
    '1 arena born, 2 heaps in all, for which 128.0 MiB of address space were reserved',
    'lost events: none',
    'calls by thread: worker 2',
    'mmap64',
    'ns::helper()',
    'grow.cc:7 (inlined)',
    'memsqld+0x2345',
    '0x7fff00001000',
    '[outer frames are missing]',
    '1 arena born, 1 further heap',
  ]) {
    t.ok(text.includes(words), words)
  }
  t.ok(text.indexOf('#1') < text.indexOf('Births') && text.indexOf('Births') < text.indexOf('#2'))
})

t.test('each format shows losses, and only then', async (t) => {
  for (const format of TRACE_FORMATS) {
    const shown = format === 'json' ? '"lostEvents":12' : '12 events were lost'
    t.ok(renderTrace(fakeTrace({ lostEvents: 12 }), format).includes(shown), format)
    t.notOk(renderTrace(fakeTrace(), format).includes(shown), format)
  }
})

t.test('what else is missing is said', async (t) => {
  const text = renderTrace(
    fakeTrace({
      gaps: [{ atMs: 1_700_000_000_000, untilMs: 1_700_000_002_500, why: 'the process was stopped' }],
      gapsNotKept: 3,
      callsWithoutGroup: 9,
      checkedAgainstMaps: { atMs: 1, goneUnseenBytes: 1 << 20 },
      groups: [
        fakeGroup({ stack: null, other: true, untrackedCalls: 4, untrackedBytes: 4096 }),
        fakeGroup({ stack: null }),
      ],
    }),
    'text',
  )
  t.match(text, /not watched from .* for 2\.5 s: the process was stopped/)
  t.match(text, /not watched 3 more times/)
  t.match(text, /9 calls had stacks beyond those kept/)
  t.match(text, /1\.0 MiB were found unmapped although no call was seen/)
  t.match(text, /of 4\.0 KiB in 4 calls it is not known/)
  t.match(text, /\[other stacks, beyond those kept\]/)
  t.match(text, /\[no stack\]/)
  t.match(renderTrace(fakeTrace({ checkedAgainstMaps: null }), 'text'), /could not be compared with the maps/)
})

t.test('folded: outermost first, bytes, one line a stack', async (t) => {
  t.equal(
    renderTrace(fakeTrace(), 'folded'),
    `memsqld+0x2345;ns::grow(int);ns::helper();mmap64 ${200 << 20}\n`,
  )
})

t.test('hostile texts come out printable, in every format for people', async (t) => {
  const trace = hostileTrace()
  for (const format of TRACE_FORMATS) {
    // The page has tests of its own.
    if (format === 'html') continue
    const text = renderTrace(trace, format)
    if (format === 'json') {
      t.same(JSON.parse(text), trace, 'the document keeps them, escaped as JSON')
    }
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    t.notMatch(text, /[\x00-\x09\x0b-\x1f\x7f]/, `${format}: no control characters`)
    if (format === 'text' || format === 'folded') t.notMatch(text, /\u202e/)
  }
  const lines = renderTrace(trace, 'folded').trimEnd().split('\n')
  t.ok(lines.every((line) => /^\S.* \d+$/.test(line)))
})

t.test("speedscope: valid by its own schema, with the trace's sums", async (t) => {
  const schema = JSON.parse(
    readFileSync(join(ROOT, 'node_modules/speedscope/dist/release/file-format-schema.json'), 'utf8'),
  ) as object
  const check = new Ajv({ strict: false }).compile(schema)
  for (const trace of [fakeTrace(), hostileTrace(), fakeTrace({ groups: [], events: [] })]) {
    t.ok(check(JSON.parse(renderTrace(trace, 'speedscope'))), JSON.stringify(check.errors))
  }
  t.notOk(check({ shared: {}, profiles: [] }), 'the schema refuses what is none')
  const file = JSON.parse(renderTrace(fakeTrace(), 'speedscope')) as {
    shared: { frames: { name: string; file?: string; line?: number }[] }
    profiles: { name: string; unit: string; endValue: number; samples: number[][]; weights: number[] }[]
  }
  t.same(
    file.profiles.map(({ name, unit, endValue, weights }) => [name, unit, endValue, weights]),
    [
      ['mapped', 'bytes', 200 << 20, [200 << 20]],
      ['still mapped at the end', 'bytes', 100 << 20, [100 << 20]],
      ['reserved for malloc heaps', 'bytes', 128 << 20, [128 << 20]],
    ],
  )
  const names = file.profiles[0]!.samples[0]!.map((index) => file.shared.frames[index]!.name)
  t.same(names, ['memsqld+0x2345', 'ns::grow(int)', 'ns::helper()', 'mmap64'])
  t.match(
    file.shared.frames.find(({ name }) => name === 'ns::helper()'),
    { file: 'grow.cc', line: 7 },
  )
})

t.test("speedscope's own app opens it", { skip: noChromium() }, async (t) => {
  const app = join(ROOT, 'node_modules/speedscope/dist/release')
  // The app fetches the profile, which the browser allows over http only.
  const server = createServer((request, response) => {
    const path = new URL(request.url!, 'http://x').pathname
    try {
      const body =
        path === '/profile.json' ? renderTrace(fakeTrace(), 'speedscope') : readFileSync(join(app, path))
      const type = path.endsWith('.js')
        ? 'text/javascript'
        : path.endsWith('.css')
          ? 'text/css'
          : path.endsWith('.html')
            ? 'text/html'
            : 'application/octet-stream'
      response.writeHead(200, { 'content-type': type }).end(body)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const opener = join(scratch(), 'opener.html')
  writeFileSync(opener, '<title>opener</title>')
  try {
    const { page, complaints } = await openInChromium(opener)
    await page.goto(`http://127.0.0.1:${port}/index.html#profileURL=http://127.0.0.1:${port}/profile.json`)
    await page.waitForFunction("document.body.innerText.includes('mapped')", { timeout: 60_000 })
    t.match(String(await page.evaluate('document.body.innerText')), /mapped/)
    t.match(await page.title(), /memory mapped by process 6/)
    t.same(
      complaints.filter((text) => !/404|WebGL/.test(text)),
      [],
    )
  } finally {
    await closeChromium()
    server.close()
  }
})

t.test('files: whole or not at all, and no other JSON is taken for a trace', async (t) => {
  const folder = scratch()
  const file = join(folder, 'trace.json')
  writeWhole(file, renderTrace(fakeTrace(), 'json'))
  t.same(readTrace(file), fakeTrace())
  t.throws(() => writeWhole(join(folder, 'no', 'such'), ''), { code: 'ENOENT' })
  const refused = (name: string, change: object | string, message: RegExp) => {
    const text = typeof change === 'string' ? change : JSON.stringify({ ...fakeTrace(), ...change })
    writeFileSync(file, text)
    t.throws(() => readTrace(file), { name: 'TargetError', message }, name)
  }
  refused('no JSON', '{', /it is no JSON/)
  refused('a list', '[]', /no object/)
  refused('another schema', { schema: 'arena-inspect/1' }, /its schema is "arena-inspect\/1"/)
  refused('no frames', { frames: 3 }, /frames is no list/)
  refused('a stack beyond', { stacks: [{ frames: [99], cut: false }] }, /a stack is odd/)
  refused('a group beyond', { groups: [fakeGroup({ stack: 7 })] }, /a group is odd/)
  refused(
    'an address that is text',
    { frames: [{ ...fakeTrace().frames[0], address: 'shell echo' }] },
    /a frame is odd/,
  )
  refused('a module beyond', { frames: [{ ...fakeTrace().frames[0], module: 2 }] }, /a frame is odd/)
  refused('an event beyond', { events: [{ group: -1, atMs: 1 }] }, /an event is odd/)
  refused('no sums', { mapped: {} }, /mapped is incomplete/)
  refused('odd threads', { groups: [{ ...fakeGroup(), threads: [3] }] }, /a group is odd/)
  t.throws(() => readTrace(join(folder, 'none')), { message: /ENOENT/ })
})
