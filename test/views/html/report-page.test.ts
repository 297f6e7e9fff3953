// The HTML report in a real browser: figures of a real process, real clicks, hostile text, and very long tables.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Piece } from '../../../src/maps/categorize.js'
import { address } from '../../../src/memory/address.js'
import { heapMaps } from '../../../src/report/heap-maps.js'
import type { Report } from '../../../src/report/report.js'
import { openSession } from '../../../src/session/open-session.js'
import { type ReportFacts, renderReportHtml } from '../../../src/views/html/report-page.js'
import { FakeSession, fakeReport } from '../../fakes/fake-session.js'
import { closeChromium, noChromium, openInChromium } from '../../support/chromium.js'
import { arenaInspect } from '../../support/command.js'
import { compile, gcore, ROOT, scratch, start } from '../../support/programs.js'

const folder = scratch()
t.teardown(closeChromium)

const HOSTILE = [
  '</script><script>window.hit = 1</script>',
  '<img src=x onerror="window.hit = 2">',
  '"><b onmouseover=alert(1)>\x1b[2J\x00\u202eevil\u2028line\ud800',
  "' <!--<script>",
].join(' ')

function facts(session: FakeSession): ReportFacts {
  return { report: session.report, pieces: session.pieces, heaps: heapMaps(session) }
}

function written(name: string, of: ReportFacts): string {
  const file = join(folder, `${name}.html`)
  writeFileSync(file, renderReportHtml(of, readFileSync(join(ROOT, 'dist/browser/report.js'), 'utf8')))
  return file
}

t.test('of a core, by the command: heaps add up to the arenas, the file is the same each time', async (t) => {
  const program = compile('examples/programs/arena-bloat.c')
  const running = await start(program, ['8', '6', '1', 'log:16:4096', join(folder, 'out')], { cwd: folder })
  const core = gcore(running.pid, join(folder, 'core.small'))
  await running.kill()
  const file = join(folder, 'core.html')
  const ended = await arenaInspect(['report', core, '--format', 'html', '-o', file])
  t.equal(ended.code, 0, ended.stderr)
  const text = readFileSync(file, 'utf8')
  t.ok(text.length < 500_000, `${text.length} bytes`)
  t.equal((await arenaInspect(['report', core, '--format', 'html'])).stdout, text)
  const session = await openSession({ kind: 'core', path: core }, { useGdb: false })
  const maps = heapMaps(session)
  for (const arena of session.report.heap!.arenas) {
    const of = maps.filter((map) => map.arena === arena.index)
    const sum = (use: 'live' | 'cached' | 'free' | 'top') => of.reduce((all, map) => all + map.uses[use], 0)
    t.same(
      [sum('live'), sum('cached'), sum('free'), sum('top')],
      [arena.liveBytes, arena.tcacheBytes! + arena.fastbinBytes!, arena.binnedBytes, arena.topBytes],
      `arena ${arena.index}`,
    )
    for (const { cells, uses, sizeBytes } of of) {
      t.equal(uses.live + uses.cached + uses.free + uses.top + uses.other, sizeBytes)
      if (cells)
        t.equal(
          cells.live.reduce((all, bytes) => all + bytes, 0),
          uses.live,
          'cells and heap agree',
        )
    }
  }
  await session.close()
  if (noChromium()) return
  const { page, complaints, requests } = await openInChromium(file)
  t.ok((await page.$$('.arena-bars li')).length >= 8, 'a bar for each arena')
  t.ok((await page.$$('#treemap .region')).length > 8)
  t.ok((await page.$$('#treemap rect.f-free')).length >= 8, 'heaps are split by their chunks')
  t.equal((await page.$$('figure[data-heap] canvas')).length, 8)
  t.ok(await page.$('#sizes-chart canvas'), 'the histogram is drawn')
  t.same([complaints, requests], [[], []])
})

t.test('64 arenas', async (t) => {
  const program = compile('examples/programs/arena-bloat.c')
  const args = ['64', '8', '1', 'log:16:4096', join(folder, 'out')]
  const running = await start(program, args, { cwd: folder })
  const file = join(folder, 'large.html')
  const ended = await arenaInspect(['report', '--pid', `${running.pid}`, '--format', 'html', '-o', file])
  const json = await arenaInspect(['report', '--pid', `${running.pid}`, '--json'])
  await running.kill()
  t.equal(ended.code, 0, ended.stderr)
  const arenas = (JSON.parse(json.stdout) as Report).heap!.arenas
  t.equal(arenas.length, 64)
  const text = readFileSync(file, 'utf8')
  t.ok(text.length < 3_000_000, `${text.length} bytes`)
  for (const arena of arenas) t.ok(text.includes(arena.address), arena.address)
})

t.test('sort, filter, theme and print', { skip: noChromium() }, async (t) => {
  const { page, complaints, requests } = await openInChromium(written('clicks', facts(new FakeSession())))
  const column = (id: string, key: string) =>
    page.evaluate(
      `(() => { const t = document.getElementById('${id}'); const at = [...t.querySelectorAll('th')].findIndex((h) => h.dataset.column === '${key}'); return [...t.querySelectorAll('tbody tr:not(.gap)')].map((r) => r.cells[at].textContent) })()`,
    ) as Promise<string[]>
  await page.click('#table-arenas th[data-column=arena] button')
  t.equal((await column('table-arenas', 'arena'))[0], '63', 'numbers: the largest first')
  await page.focus('#table-arenas th[data-column=arena] button')
  await page.keyboard.press('Enter')
  t.same(
    (await column('table-arenas', 'arena')).slice(0, 3),
    ['0', '1', '2'],
    'the other way, by the keyboard',
  )
  t.equal(
    await page.$eval('#table-arenas th[aria-sort]', (head) => head.getAttribute('aria-sort')),
    'ascending',
  )
  await page.click('#table-arenas th[data-column=free] button')
  await page.type('#table-regions input', 'libc.so')
  t.same(await column('table-regions', 'path'), ['/usr/lib/x86_64-linux-gnu/libc.so.6'])
  t.match(
    await page.$eval(
      '#table-regions .count',
      (count) => (count as unknown as { textContent: string }).textContent,
    ),
    /^1 of \d+ regions$/,
  )
  await page.$eval('#table-regions input', (field) => {
    ;(field as unknown as { value: string }).value = ''
  })
  await page.type('#table-regions input', '>3.9M')
  t.same(new Set(await column('table-regions', 'category')), new Set(['main heap']), 'by size')
  const ground = () => page.evaluate('getComputedStyle(document.body).backgroundColor') as Promise<string>
  const light = await ground()
  await page.click('[data-theme-choice=dark]')
  t.not(await ground(), light)
  await page.emulateMediaType('print')
  t.equal(await ground(), light, 'paper is light')
  t.equal(
    await page.$eval('.theme', (theme) => (theme as unknown as { offsetHeight: number }).offsetHeight),
    0,
  )
  t.ok((await column('table-arenas', 'arena')).length >= 60, 'rows below the window are on paper too')
  await page.emulateMediaType('screen')
  await page.click('[data-theme-choice=light]')
  t.equal(await ground(), light)
  await page.focus('figure[data-heap="0"] canvas')
  await page.keyboard.press('ArrowRight')
  t.match(
    await page.$eval('#heap-0', (readout) => (readout as unknown as { textContent: string }).textContent),
    /^0x[0-9a-f]+: .* bytes; [\d,]+ chunks begin$/,
  )
  t.same([complaints, requests], [[], []])
  await page.setViewport({ width: 400, height: 800 })
  t.equal(
    await page.evaluate('document.documentElement.scrollWidth'),
    400,
    'nothing hangs over a narrow page',
  )
})

t.test('hostile text is text', { skip: noChromium() }, async (t) => {
  const calm = fakeReport()
  const report: Report = {
    ...calm,
    problems: [HOSTILE],
    target: { ...calm.target, label: HOSTILE, executable: `/opt/${HOSTILE.replaceAll('/', '|')}` },
    heap: {
      ...calm.heap!,
      threads: calm.heap!.threads.map((thread) => ({ ...thread, name: HOSTILE })),
      anomalies: [{ at: '0x1', code: HOSTILE, what: HOSTILE }],
    },
    findings: [
      {
        rule: HOSTILE,
        severity: 'critical',
        title: HOSTILE,
        evidence: [{ label: HOSTILE, value: HOSTILE, unit: 'text' }],
        nextStep: HOSTILE,
        why: HOSTILE,
        fixes: [{ how: 'environment', text: HOSTILE, restart: true, note: HOSTILE }],
      },
    ],
  }
  const pieces = new FakeSession().pieces.map((piece) => ({
    ...piece,
    region: { ...piece.region, path: HOSTILE },
  }))
  const file = written('hostile', { report, pieces, heaps: [] })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  t.notMatch(readFileSync(file, 'utf8'), /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2028\ufffd]/)
  const { page, complaints, requests } = await openInChromium(file)
  const dialogs: string[] = []
  page.on('dialog', async (dialog) => {
    dialogs.push(dialog.message())
    await dialog.dismiss()
  })
  await page.hover('#treemap .region')
  await page.type('#table-threads input', '<img')
  t.equal(await page.evaluate('window.hit'), undefined)
  t.equal((await page.$$('img, body b[onmouseover]')).length, 0)
  const shown = await page.$eval(
    '#table-threads tbody tr',
    (row) => (row as unknown as { textContent: string }).textContent,
  )
  t.match(shown, '<img src=x onerror="window.hit = 2">')
  t.match(shown, '\\x1b[2J\\x00\\u202eevil\\u2028line\\ud800')
  t.same([complaints, requests, dialogs], [[], [], []])
})

t.test('a hundred thousand regions scroll', { skip: noChromium() }, async (t) => {
  const permissions = { read: true, write: false, execute: false, shared: false }
  const pieces = Array.from({ length: 100_000 }, (_, row): Piece => {
    const [start, end] = [address(row * 8192 + 65536), address(row * 8192 + 65536 + 4096 * (1 + (row % 2)))]
    const region = { start, end, permissions, fileOffset: 0n, path: `/data/${row % 500}.bin` }
    return { start, end, category: 'files', region, residentBytes: null }
  })
  const file = written('long', { report: fakeReport(), pieces, heaps: [] })
  const { page, complaints } = await openInChromium(file)
  const rows = async () => (await page.$$('#table-regions tbody tr')).length
  const firstCell = () =>
    page.$eval(
      '#table-regions tbody tr:not(.gap) td',
      (cell) => (cell as unknown as { textContent: string }).textContent,
    ) as Promise<string>
  t.ok((await rows()) < 80, `${await rows()} rows are in the document`)
  t.equal(await firstCell(), '0x10000')
  await page.evaluate("document.querySelector('#table-regions .rows').scrollTop = 1e9")
  // Not waitForFunction: it evaluates text inside of the page, which the page's policy forbids.
  const last = `0x${(99_999 * 8192 + 65536).toString(16)}`
  // Rows are drawn with the next frame.
  await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')
  t.ok(
    await page.evaluate(`document.querySelector('#table-regions tbody').textContent.includes('${last}')`),
    'the last row is there',
  )
  t.ok((await rows()) < 80)
  await page.click('#table-regions th[data-column=size] button')
  t.equal(await firstCell(), '0x12000', 'sorted: the first of the larger ones')
  await page.type('#table-regions input', '/data/499.bin')
  t.match(
    await page.$eval(
      '#table-regions .count',
      (count) => (count as unknown as { textContent: string }).textContent,
    ),
    /^200 of 100,000 regions$/,
  )
  t.ok((await page.$$('#treemap .region')).length < 400, 'the map has the largest, and the rest as one')
  t.same(complaints, [])
})

t.test('of a report alone, without a heap, without findings', { skip: noChromium() }, async (t) => {
  const calm = fakeReport()
  const bare = { ...calm, heap: null, ledger: null, findings: [], maps: { categories: [] } }
  const { page, complaints } = await openInChromium(written('bare', { report: bare, pieces: [], heaps: [] }))
  t.match(
    await page.$eval('.verdict', (verdict) => (verdict as unknown as { textContent: string }).textContent),
    /No verdict on malloc/,
  )
  t.same(complaints, [])
})
