// The Markdown report: what a Markdown parser makes of it, with the figures of the same report in JSON, and hostile text.
import { join } from 'node:path'
import { marked, type Token, type Tokens } from 'marked'
import t from 'tap'
import type { Finding } from '../../src/findings/finding.js'
import { countText } from '../../src/format/sizes.js'
import type { Report } from '../../src/report/report.js'
import { renderMarkdown } from '../../src/views/text/render-markdown.js'
import { fakeReport } from '../fakes/fake-session.js'
import { arenaInspect } from '../support/command.js'
import { compile, scratch, start } from '../support/programs.js'

function tokensOf(markdown: string): Token[] {
  const found: Token[] = []
  marked.walkTokens(marked.lexer(markdown), (token) => {
    found.push(token)
  })
  return found
}

function tablesOf(markdown: string): string[][][] {
  return tokensOf(markdown)
    .filter((token): token is Tokens.Table => token.type === 'table')
    .map(({ rows }) => rows.map((row) => row.map(({ text }) => text)))
}

t.test('a live process: the verdict first, then the figures of the JSON report', async (t) => {
  const folder = scratch()
  const program = compile('examples/programs/arena-bloat.c')
  const running = await start(program, ['24', '6', '1', 'log:16:4096', join(folder, 'out')], { cwd: folder })
  const pid = String(running.pid)
  // One look in both formats: what shares pages with it comes and goes.
  const look = join(folder, 'look.snapshot')
  t.match(await arenaInspect(['snapshot', '--pid', pid, '-o', look]), { code: 0 })
  await running.kill()
  const { stdout, code, stderr } = await arenaInspect(['report', look, '--format', 'markdown'])
  t.equal(code, 0, stderr)
  const report = JSON.parse((await arenaInspect(['report', look, '--json'])).stdout) as Report
  const [verdict, todo, about] = stdout.split('\n')
  t.match(verdict, /^\*\*(CRITICAL|WARNING|INFO): /)
  t.match(todo, /^Do: /)
  t.match(about, `pid ${pid}`)
  const tables = tablesOf(stdout)
  t.equal(tables.length, 4)
  const [ledger, totals, arenas, maps] = tables as [string[][], string[][], string[][], string[][]]
  t.same(
    ledger.map(([line]) => line),
    [...report.ledger!.entries.map(({ line }) => line), 'unaccounted', 'RSS'],
  )
  t.equal(totals.find(([name]) => name === 'system')![2], countText(report.heap!.totals.systemBytes))
  t.equal(totals.find(([name]) => name === 'free: bins')![2], countText(report.heap!.totals.binnedBytes))
  t.equal(arenas.length, 16)
  t.match(stdout, `… and ${report.heap!.arenas.length - 16} smaller arenas.`)
  t.equal(maps.length, report.maps.categories.length)
  const headings = tokensOf(stdout).filter((token): token is Tokens.Heading => token.type === 'heading')
  t.equal(headings.filter(({ depth }) => depth === 3).length, report.findings.length)
})

t.test('text of a target is text: no markup, no HTML, no link, no further row or line', async (t) => {
  const nasty = [
    '<script>alert(1)</script>',
    '![x](http://evil/x.png)',
    '[a](javascript:b)',
    'https://evil www.evil.com',
    '**bold** `code` ``two``',
    '| a | b |',
    '\n# heading\n- item',
    '&lt;b&gt; @everyone',
    '\x1b[2J\u202e',
    '~~gone~~ <http://auto.link>',
  ].join(' ')
  const finding: Finding = {
    rule: 'arena-bloat',
    severity: 'critical',
    title: nasty,
    evidence: [{ label: nasty, value: nasty, unit: 'text' }],
    nextStep: nasty,
    why: nasty,
    fixes: [{ how: 'environment', text: nasty, restart: true, note: nasty }],
  }
  const calm = fakeReport()
  const report: Report = {
    ...calm,
    problems: [nasty],
    target: { ...calm.target, label: nasty, executable: `/opt/${nasty.replaceAll('/', '')}` },
    heap: { ...calm.heap!, anomalies: [{ at: '0x1', code: nasty, what: nasty }] },
    findings: [finding],
  }
  const markdown = renderMarkdown(report)
  const tokens = tokensOf(markdown)
  const kinds = new Set(tokens.map(({ type }) => type))
  for (const kind of ['html', 'link', 'image', 'em', 'del', 'code', 'blockquote']) {
    t.notOk(kinds.has(kind), `no ${kind}`)
  }
  t.notOk(markdown.includes('\x1b') || markdown.includes('\u202e'))
  t.notMatch(marked.parse(markdown), /<(script|img|a)\b/)
  t.notMatch(
    markdown.replaceAll(/(`+).*?\1/g, ''),
    /@everyone|https:\/\/|www\.evil/,
    'nothing that becomes a link',
  )
  const plainReport = { ...report, findings: [{ ...finding, title: 'x' }], problems: ['x'], heap: calm.heap }
  const shape = (text: string) => tablesOf(text).map((rows) => rows.map((row) => row.length))
  t.same(shape(markdown), shape(renderMarkdown(plainReport)), 'the same tables')
  t.equal(tokens.filter(({ type }) => type === 'heading').length, 7)
})

t.test('without a heap, without residency, incomplete: said so', async (t) => {
  const calm = fakeReport()
  const bare = renderMarkdown({ ...calm, heap: null, ledger: null, findings: [], complete: false })
  t.match(bare.split('\n')[0], /^\*\*No verdict on malloc/)
  t.match(bare, /\*\*incomplete\*\*: see the notes/)
  t.equal(tablesOf(bare).length, 1)
  const unknown = { ...calm.heap!.totals, systemBytes: null as unknown as number }
  const partly = renderMarkdown({ ...calm, heap: { ...calm.heap!, totals: unknown } })
  t.same(
    tablesOf(partly)
      .flat()
      .find(([name]) => name === 'system'),
    ['system', 'unknown', 'unknown'],
  )
})
