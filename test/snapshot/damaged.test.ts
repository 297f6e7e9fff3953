// Old snapshots keep opening; cut, damaged, hostile and newer ones end in one line or a marked partial answer.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { address } from '../../src/memory/address.js'
import { loadReport, ReportError } from '../../src/report/load-report.js'
import { openAny } from '../../src/snapshot/open-any.js'
import { recogniseHead } from '../../src/snapshot/recognise-saved.js'
import { packRecord } from '../../src/snapshot/record.js'
import { KIND } from '../../src/snapshot/snapshot.js'
import { TargetError } from '../../src/target/target.js'
import { renderMarkdown } from '../../src/views/text/render-markdown.js'
import { renderText } from '../../src/views/text/render-text.js'
import { fakeReport } from '../fakes/fake-session.js'
import { arenaInspect } from '../support/command.js'
import { ROOT, scratch } from '../support/programs.js'

const folder = scratch()
const GOLDEN = join(ROOT, 'test/golden/snapshots')
const good = readFileSync(join(GOLDEN, 'v1.arenas.gz'))

/** Opens and asks everything; only TargetError may come of it. */
async function lookAt(bytes: Uint8Array): Promise<'whole' | 'partial' | string> {
  const path = join(folder, 'looked-at')
  writeFileSync(path, bytes)
  try {
    const session = await openAny({ kind: 'snapshot', path })
    try {
      renderText(session.report, { color: false })
      renderMarkdown(session.report)
      for (const { start } of session.pieces.slice(0, 20)) {
        session.describe(start)
        session.chunksIn(start, address(start + 100_000n))
        session.read(start, 100)
        session.nextMapped(start, -1)
      }
      await session.stacks(4)
      session.heaps()
      const counts = Array.from(session.chunkBatches({}), ({ count }) => count)
      if (counts.includes(0)) throw new Error('an empty batch')
      return session.report.complete ? 'whole' : 'partial'
    } finally {
      await session.close()
    }
  } catch (error) {
    if (!(error instanceof TargetError)) throw error
    t.notMatch(error.message, /\n/)
    return error.message
  }
}

t.test('a snapshot of version 1', async (t) => {
  const file = join(GOLDEN, 'v1.arenas.gz')
  for (const [args, name] of [
    [['report', file], 'v1.txt'],
    [['chunks', file, '--sort', 'size', '--limit', '20'], 'v1.chunks.txt'],
  ] as const) {
    const { stdout, stderr, code } = await arenaInspect(args)
    t.equal(code, 0, stderr)
    t.equal(stdout, readFileSync(join(GOLDEN, name), 'utf8'))
  }
  t.equal(await lookAt(good), 'whole')
})

t.test('cut anywhere: an error, or a part that says that it is one', async (t) => {
  const seen = new Set<string>()
  for (let length = 0; length < good.length; length += Math.ceil(good.length / 150)) {
    const result = await lookAt(good.subarray(0, length))
    t.not(result, 'whole', `${length} bytes`)
    seen.add(result.replace(/\d+/g, 'N').replaceAll(folder, ''))
  }
  t.ok(seen.has('partial'))
  t.ok(seen.size < 10, [...seen].join('\n'))
})

t.test('bytes changed anywhere: never a crash', async (t) => {
  let state = 12345
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const counts = { whole: 0, partial: 0, refused: 0 }
  for (let round = 0; round < 300; round++) {
    const bytes = Uint8Array.from(good)
    for (let change = 0; change <= random(4); change++) bytes[random(bytes.length)] = random(256)
    if (round % 10 === 0) bytes.copyWithin(random(bytes.length), random(bytes.length), random(bytes.length))
    const result = await lookAt(bytes)
    counts[result === 'whole' || result === 'partial' ? result : 'refused']++
  }
  t.ok(counts.partial > 0 && counts.refused > 0, JSON.stringify(counts))
})

const header = (more: object = {}) =>
  Buffer.from(
    `${JSON.stringify({ schema: 'arena-inspect-snapshot/1', tool: '', madeAt: '', wordBytes: 8, pageBytes: 4096, chunks: true, memory: false, ...more })}\n`,
  )
const reportBytes = Buffer.from(JSON.stringify(fakeReport()))
const file = (...records: readonly (readonly [number, Uint8Array, Uint8Array?])[]) =>
  Buffer.concat(records.map(([kind, content, detail]) => packRecord(kind, content, detail)))

t.test('hostile and newer files', async (t) => {
  const end = [KIND.end, Buffer.from('{}\n')] as const
  t.match(
    await lookAt(file([KIND.header, header({ schema: 'arena-inspect-snapshot/2' })], end)),
    /a newer arena-inspect/,
  )
  t.match(await lookAt(file([KIND.header, header()], end)), /holds no report/)
  const zeros = new Uint8Array(80 << 20)
  t.equal(
    await lookAt(file([KIND.header, header()], [KIND.report, reportBytes], [KIND.regions, zeros], end)),
    'partial',
  )
  const bomb = [KIND.threads, new Uint8Array(60 << 20)] as const
  t.match(
    await lookAt(
      file([KIND.header, header()], [KIND.report, reportBytes], bomb, bomb, bomb, bomb, bomb, end),
    ),
    /would unpack to more/,
  )
  const detail = new Uint8Array(24)
  new DataView(detail.buffer).setUint32(4, 0xffffffff, true)
  t.equal(
    await lookAt(
      file([KIND.header, header()], [KIND.report, reportBytes], [KIND.chunks, Buffer.from([1]), detail], end),
    ).then((result) => /chunks of the snapshot .* are damaged/.test(result)),
    true,
  )
  t.match(
    await lookAt(file([KIND.header, header()], [200, Buffer.from('later')], [KIND.report, reportBytes], end)),
    /partial|whole/,
  )
  t.match(await lookAt(gzipSync(header())), /unpacked or packed again/)
  t.match(await lookAt(header()), /unpacked or packed again/)
})

t.test('recognised by content', async (t) => {
  t.match(recogniseHead(good.subarray(0, 1024)), { what: 'snapshot', isPacked: true })
  t.match(recogniseHead(Buffer.from(' {"schema":')), { what: 'report', isPacked: false })
  t.match(recogniseHead(gzipSync('{"schema":')), { what: 'report', isPacked: true })
  for (const other of ['', '\x7fELF', '7f00-7f01 r--p ', '[1]', '\x1f\x8b'])
    t.equal(recogniseHead(Buffer.from(other, 'latin1')), null)
  t.equal(recogniseHead(gzipSync(Buffer.alloc(10 << 20)).subarray(0, 1024)), null)
})

t.test('reports are read back only if they can be shown', async (t) => {
  const report = fakeReport()
  const copy = () => JSON.parse(JSON.stringify(report))
  t.same(loadReport(copy()), report)
  t.same(loadReport({ ...copy(), later: 1 }), { ...report, later: 1 }, 'fields of later versions stay')
  const { stop: _, ...older } = copy().target
  t.equal(
    loadReport({ ...copy(), target: older }).target.stop,
    null,
    'what is too old to have a field does not know it',
  )
  const refused = (change: object, says: RegExp) => {
    try {
      loadReport({ ...copy(), ...change })
      t.fail(`${says} was read`)
    } catch (error) {
      if (!(error instanceof ReportError)) throw error
      t.match(error.message, says)
      t.notOk(error.message.includes('\n'))
    }
  }
  const arena = (field: object) => {
    const { heap } = copy()
    Object.assign(heap.arenas[3], field)
    return { heap }
  }
  refused({ schema: 'arena-inspect/2' }, /newer arena-inspect/)
  refused({ schema: 'arena-inspect-watch/1' }, /no report: arena-inspect-watch/)
  refused({ schema: undefined }, /no report of arena-inspect/)
  refused({ findings: null }, /\/findings must be array/)
  refused(arena({ address: '0x1\x1b[2J' }), /address must match pattern/)
  refused(arena({ systemBytes: 'many' }), /systemBytes must be/)
  refused({ findings: [{ ...report.findings[0], rule: 'a\nb' }] }, /rule must match pattern/)
  for (const other of [null, 1, 'x', [], [1]]) {
    try {
      loadReport(other)
      t.fail('read')
    } catch (error) {
      t.ok(error instanceof ReportError)
    }
  }
})
