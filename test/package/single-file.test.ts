// The single file: built once, then run in a root with the libraries of Node and nothing else, and here with gdb.
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Report } from '../../src/report/report.js'
import { bareRoot, commandIn, runIn } from '../support/bare-root.js'
import { compile, ROOT, scratch, start } from '../support/programs.js'
import { bloatCore } from '../support/small-core.js'
import { noTmux, TmuxTerminal } from '../support/tmux.js'
import { runAsUser } from '../support/user-run.js'

const folder = scratch()
const file = join(folder, 'arena-inspect')
const built = runAsUser([process.execPath, join(ROOT, '.ci/single-file.mjs'), file])
await bloatCore(folder)
const ordinary = (...args: string[]) =>
  runAsUser([process.execPath, join(ROOT, 'dist/cli.js'), ...args], { cwd: folder })

t.equal(built.status, 0, built.stderr)
t.equal(built.stderr, '', 'it is built quietly')

t.test('in a root without Node, gdb, or a shell', async (t) => {
  const root = bareRoot()
  if ('reason' in root) {
    t.pass('run there', { skip: root.reason })
    return
  }
  const shared = { '/arena-inspect': file, '/cores': folder }
  const inside = (...args: string[]) => runIn(root, ['/arena-inspect', ...args], shared)
  t.same(readdirSync(root.folder).sort(), ['dev', 'lib', 'lib64', 'proc', 'tmp'], 'nothing else is there')
  t.equal(inside('--version').stdout, ordinary('--version').stdout)
  t.match(inside('report', '--help').stdout, /--fail-on/)
  const report = inside('report', '/cores/core.bloat')
  t.equal(report.status, 0, report.stderr)
  t.match(report.stdout, /12 arenas hold/)
  t.match(report.stderr, /gdb not found/)
  t.equal(inside('report', '/cores/core.bloat', '--fail-on', 'warning').status, 3)
  t.equal(inside('report', '/cores/nothing').status, 1)
  const json = JSON.parse(inside('report', '/cores/core.bloat', '--json').stdout) as Report
  t.equal(json.schema, 'arena-inspect/1')
  t.equal(json.heap!.arenas.length, 12)
  t.match(inside('chunks', '/cores/core.bloat', '--sort', 'size', '--limit', '3').stdout, /0x[0-9a-f]+/)

  await t.test('the TUI', { skip: noTmux() }, async (t) => {
    const terminal = new TmuxTerminal({ columns: 100, rows: 30 })
    t.teardown(() => terminal.close())
    const command = commandIn(root, ['/arena-inspect', '/cores/core.bloat'], shared)
    terminal.type(`${command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')}; echo "code=$?"`)
    await terminal.until(/\[1 Overview\][\s\S]*12 arenas hold/)
    terminal.press('2')
    await terminal.until(/main 0x[0-9a-f]+/)
    terminal.press('q')
    t.match(await terminal.until(/^code=\d+$/m), /^code=0$/m)
    t.equal(terminal.variable('alternate_on'), '0')
  })
  t.same(readdirSync(join(root.folder, 'tmp')), [], 'nothing is left in /tmp')
})

t.test('here, as the package is', async (t) => {
  const own = join(folder, 'tmp')
  mkdirSync(own)
  const single = (...args: string[]) => runAsUser([file, ...args], { cwd: folder, env: { TMPDIR: own } })
  const ours = single('report', 'core.bloat', '--json')
  t.same(JSON.parse(ours.stdout), JSON.parse(ordinary('report', 'core.bloat', '--json').stdout))
  t.match(single('x', 'core.bloat', 'main_arena', '--count', '2').stdout, /<main_arena>/, "gdb's names")
  t.equal(single('x', 'core.bloat').status, 2, 'wrong usage')

  const running = await start(
    compile('examples/programs/arena-bloat.c'),
    ['4', '4', '1', 'log:16:4096', 'out'],
    {
      cwd: folder,
    },
  )
  const pid = String(running.pid)
  t.equal(single('verify', '--pid', pid, '--yes').status, 0, 'gdb is driven by the scripts inside')
  t.match(single('report', '--pid', pid, '--stop').stdout, /stood still/)
  const page = join(folder, 'watch.html')
  t.equal(single('watch', '--pid', pid, '--every', '1s', '--count', '1', '-o', page).status, 0)
  t.ok(existsSync(page), 'its page has the script inside')
  t.match(
    single('watch', '--pid', pid, '--every', '1s', '--count', '1', '--json').stdout,
    /arena-inspect-watch/,
  )
  await running.kill()

  const demo = single('demo', '--arenas', '12', '--mib', '8', '--format', 'text')
  t.equal(demo.status, 0, demo.stderr)
  t.match(demo.stdout, /12 arenas hold/)
  t.same(readdirSync(own), [], 'nothing is left of what was unpacked')
})
