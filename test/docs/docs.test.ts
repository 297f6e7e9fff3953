// The pages: their links lead somewhere, and output shown in them is what the command prints today.
//
// A code block after `<!-- output of: arena-inspect … -->` is compared with what that prints, run on a core called
// `core.6`; numbers, addresses, paths and bars vary and are compared by their shape only. `…` in a line of its own
// stands for lines left out. One after `<!-- screen: FILE -->` is that file, which npm run pictures makes.
// UPDATE_DOCS=1 writes the whole output there instead.
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { arenaInspect } from '../support/command.js'
import { ROOT, scratch } from '../support/programs.js'
import { bloatCore } from '../support/small-core.js'

const BLOCK = /(<!-- output of: arena-inspect ([^\n]*?) -->\n\n?```\w*\n)([\s\S]*?)(```)/g
const MARKDOWN = /\.md$/
const pages = [
  'README.md',
  ...['docs', 'examples'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  ),
].filter((name) => MARKDOWN.test(name) && !name.startsWith('docs/api/'))

t.test('links', async (t) => {
  for (const page of pages) {
    const text = readFileSync(join(ROOT, page), 'utf8')
    for (const [, target] of text.matchAll(/\]\((?!\w+:|#)([^)#\s]+)[^)]*\)/g))
      t.ok(existsSync(join(ROOT, dirname(page), target!)), `${page}: ${target}`)
  }
})

t.test('outputs', async (t) => {
  const folder = scratch()
  renameSync(await bloatCore(folder), join(folder, 'core.6'))
  let blocks = 0
  for (const page of pages) {
    const path = join(ROOT, page)
    const text = readFileSync(path, 'utf8')
    let updated = text
    for (const [whole, head, args, shown, end] of text.matchAll(BLOCK)) {
      const { code, stdout, stderr } = await arenaInspect(args!.split(' '), { cwd: folder })
      t.equal(code, 0, stderr)
      blocks++
      if (process.env.UPDATE_DOCS === '1') {
        updated = updated.replace(whole, () => `${head}${stdout.trimEnd()}\n${end}`)
      } else {
        t.ok(
          isShape(shown!, stdout),
          `${page}: arena-inspect ${args} prints what is shown; UPDATE_DOCS=1 writes it`,
        )
      }
    }
    if (updated !== text) writeFileSync(path, updated)
  }
  t.ok(blocks > 0, 'some were found')
})

t.test('screens', async (t) => {
  const screen = /(<!-- screen: (\S+) -->\n```\n)([\s\S]*?)(```)/g
  const text = readFileSync(join(ROOT, 'README.md'), 'utf8')
  const shown = [...text.matchAll(screen)]
  t.ok(shown.length > 0, 'the README shows some')
  let updated = text
  for (const [whole, head, file, block, end] of shown) {
    const taken = readFileSync(join(ROOT, file!), 'utf8')
    if (process.env.UPDATE_DOCS === '1')
      updated = updated.replace(whole, () => `${head}${taken.trimEnd()}\n${end}`)
    else t.equal(block!.trimEnd(), taken.trimEnd(), `as npm run pictures took ${file}`)
  }
  if (updated !== text) writeFileSync(join(ROOT, 'README.md'), updated)
})

t.test('what is compared', async (t) => {
  const actual = 'bloat · /tmp/a/core.6\nin use 1.2 MiB (3,456 bytes)  ▎\nthree\nfour\n'
  t.ok(isShape('bloat · /other/core.7\nin use 77.5 GiB (1,000,456 bytes)\n…\nfour\n', actual))
  t.notOk(
    isShape('bloat · /other/core.7\nin use of it 77.5 GiB (1,000,456 bytes)\n…\n', actual),
    'other words',
  )
  t.notOk(isShape('bloat · /other/core.7\nthree\nfour\n', actual), 'a line left out unmarked')
})

/** Whether `shown` is `actual` but for what varies and for lines left out as `…`. */
function isShape(shown: string, actual: string): boolean {
  const lines = masked(actual)
  let at = 0
  let skipped = false
  for (const line of masked(shown)) {
    if (line === '…') {
      skipped = true
      continue
    }
    const found = skipped ? lines.indexOf(line, at) : lines[at] === line ? at : -1
    if (found < 0) return false
    at = found + 1
    skipped = false
  }
  return skipped || at === lines.length
}

function masked(text: string): string[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) =>
      line
        .replace(/0x[0-9a-f]+/g, 'ADDRESS')
        .replace(/(\/[\w.-]+)+/g, 'PATH')
        .replace(/[0-9a-f]{16}|^arena-bloat\b/g, 'NAME')
        .replace(/<?\d[\d,.]*( ?([KMGT]i?)?B)?\b/g, 'N')
        .replace(/[█▉▊▋▌▍▎▏]+/g, '')
        .replace(/\s+/g, ' ')
        .trim(),
    )
}
