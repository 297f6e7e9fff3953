// The HTML file of a trace in a real browser: the graph is drawn, its switches work, hostile names are text.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Trace } from '../../../src/trace/trace.js'
import { renderTraceHtml } from '../../../src/views/html/trace-page.js'
import { fakeGroup, fakeTrace, hostileTrace } from '../../fakes/trace.js'
import { closeChromium, noChromium, openInChromium } from '../../support/chromium.js'
import { ROOT, scratch } from '../../support/programs.js'

const folder = scratch()
t.teardown(closeChromium)

async function open(name: string, trace: Trace, scheme: 'light' | 'dark' = 'light') {
  const file = join(folder, `${name}.html`)
  writeFileSync(file, renderTraceHtml(trace, readFileSync(join(ROOT, 'dist/browser/flame.js'), 'utf8')))
  return openInChromium(file, { scheme })
}

t.test('a trace', { skip: noChromium() }, async (t) => {
  const small = fakeGroup({ stack: null, bytes: 1 << 20, calls: 1000, stillMappedBytes: 0 })
  const trace = fakeTrace()
  const { page, complaints, requests } = await open('trace', {
    ...trace,
    groups: [...trace.groups, small],
    lostEvents: 7,
  })
  const frames = () =>
    page.$$eval('#flame g.frame', (all) => all.map((one) => one.querySelector('title')!.textContent))
  const bytes = await frames()
  t.match(bytes[0], /^all stacks: .*iB, 100\.0 %$/)
  t.ok(bytes.length > 3, bytes.join('\n'))
  await page.click('[data-figure="1"]')
  const calls = await frames()
  t.match(calls[0], /^all stacks: \d+ calls, 100\.0 %$/)
  t.ok(
    calls.some(
      (text) => text === `[no stack]: 1000 calls, ${((100 * 1000) / totalCalls(trace, 1000)).toFixed(1)} %`,
    ),
  )
  await page.click('[data-figure="2"]')
  t.notOk(
    (await frames()).some((text) => text?.startsWith('[no stack]')),
    'what is no more mapped has no width',
  )
  await page.type('#find', 'MAIN')
  t.equal(await page.$eval('#flame g.frame title', (title) => title.textContent), (await frames())[0])
  const order = () =>
    page.$$eval('table.sortable tbody tr td:nth-child(2)', (cells) => cells.map((cell) => cell.textContent))
  await page.click('table.sortable th:nth-child(2) button')
  t.equal((await order())[0], '1,000', 'most calls first')
  await page.click('table.sortable th:nth-child(2) button')
  t.not((await order())[0], '1,000', 'least calls first')
  t.match(await page.$eval('body', (body) => body.innerText), /7 events were lost/)
  t.ok((await page.$$('#time rect')).length > 0, 'calls over time')
  t.same([complaints, requests], [[], []])
  await page.screenshot({ path: join(folder, 'trace.png') })
})

t.test('hostile names', { skip: noChromium() }, async (t) => {
  const { page, complaints, requests } = await open('hostile', hostileTrace(), 'dark')
  t.ok((await page.$$('#flame g.frame')).length > 0)
  t.same([complaints, requests], [[], []])
  t.equal(await page.evaluate('window.hit'), undefined)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  t.notMatch(await page.content(), /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/)
})

t.test('no events at all', { skip: noChromium() }, async (t) => {
  const empty = fakeTrace({ groups: [], events: [], stacks: [], frames: [] })
  const { page, complaints } = await open('empty', empty)
  t.match(await page.$eval('body', (body) => body.innerText), /Stacks/)
  t.same(complaints, [])
})

function totalCalls({ groups }: Trace, more: number): number {
  return groups.reduce((sum, { calls }) => sum + calls, more)
}
