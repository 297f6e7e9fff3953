// malloc_trim(0) on every glibc: what the model predicts against what RSS loses. UPDATE_DOCS=1 writes the page.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { bytesText, countText } from '../../src/format/sizes.js'
import { ROOT } from '../support/programs.js'
import { buildOf, compileFor, fetchedSuites, RELEASES, type Release } from './glibcs.js'
import { TRIM_SHAPES, type TrimResult, trimResult } from './trim.js'

const MIB = 24
// Prediction and measurement agree to the byte on a quiet machine; the kernel may take pages of files meanwhile.
const SLACK_BYTES = 64 << 10
const PAGE = join(ROOT, 'docs/malloc-trim.md')

const suites = await fetchedSuites()
const results = new Map<Release, readonly TrimResult[]>()
for (const release of RELEASES) {
  const build = buildOf(suites, release, 'amd64')
  if (typeof build === 'string') {
    t.pass(`glibc ${release}`, { skip: build })
    continue
  }
  const program = compileFor(build, 'test/programs/trim-shapes.c')
  const all: TrimResult[] = []
  for (const { shape } of TRIM_SHAPES) {
    const result = await trimResult(program, shape, MIB)
    const { predicted, measured } = result
    const name = `glibc ${release}, ${shape}: predicted ${predicted}, given back ${measured}`
    t.ok(predicted !== null && Math.abs(predicted - measured) <= SLACK_BYTES, name)
    all.push(result)
  }
  results.set(release, all)
}
if (process.env.UPDATE_DOCS === '1') writeFileSync(PAGE, page())
// Its figures are those of one run; what must not go stale is which shapes and releases it tells of.
for (const { shape, what } of TRIM_SHAPES) {
  t.match(readFileSync(PAGE, 'utf8'), `| ${shape}: ${what} |`, `docs/malloc-trim.md tells of ${shape}`)
}

function page(): string {
  const cell = (release: Release, index: number): string => {
    const result = results.get(release)?.[index]
    if (!result) return ' – |'
    const { predicted, measured, rssBytes } = result
    const off = predicted === measured ? 'exact' : `off by ${countText((predicted ?? 0) - measured)} B`
    return ` ${bytesText(predicted)} of ${bytesText(rssBytes)}, ${off} |`
  }
  const rows = TRIM_SHAPES.map(
    ({ shape, what }, index) => `| ${shape}: ${what} |${RELEASES.map((r) => cell(r, index)).join('')}`,
  )
  return `# What malloc_trim(0) gives back, predicted and measured

Written by \`UPDATE_DOCS=1 node test/all.mjs test/matrix/trim.test.ts\`, which the test suite runs too: each cell is a
process of test/programs/trim-shapes.c with four arenas on that glibc. The prediction is read from the running process
(\`malloc_trim(0) would give back …\` in the report), then the process calls malloc_trim(0) itself, and the loss of RSS
(smaps_rollup) is measured. \`exact\`: equal to the byte.

| heap | ${RELEASES.join(' | ')} |
| --- |${RELEASES.map(() => ' --- |').join('')}
${rows.join('\n')}

How it is computed: whole pages inside each free chunk behind its header and links (\`mtrim\`), of those that are in RAM; up to
2.42 malloc_trim first joins fastbin chunks to their free neighbours, so the prediction joins them too; of main_arena also the
end of top, when the program break is still where malloc left it (\`systrim\`); nothing of the other arenas' tops, and nothing
where memory is locked.
`
}
