// The examples of the library, type-checked and run against the built package; and that its API has a page each.
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { arenaInspect } from '../support/command.js'
import { compile, ROOT, scratch, start } from '../support/programs.js'
import { bloatCore } from '../support/small-core.js'
import { runAsUser } from '../support/user-run.js'

const EXAMPLES = join(ROOT, 'examples/library')
const folder = scratch()
const core = await bloatCore(folder)
// Builds dist/ where it is not there.
await arenaInspect(['--version'])

mkdirSync(join(folder, 'node_modules/@types'), { recursive: true })
symlinkSync(ROOT, join(folder, 'node_modules/arena-inspect'))
symlinkSync(join(ROOT, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'))
writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
const names = readdirSync(EXAMPLES).filter((name) => name.endsWith('.ts'))
for (const name of names) writeFileSync(join(folder, name), readFileSync(join(EXAMPLES, name)))
const compiled = runAsUser(
  [
    ...[
      process.execPath,
      join(ROOT, 'node_modules/typescript/bin/tsc'),
      '--strict',
      '--noUncheckedIndexedAccess',
    ],
    ...['--target', 'es2022', '--module', 'nodenext', '--types', 'node', '--skipLibCheck', 'false', ...names],
  ],
  { cwd: folder },
)
const example = (name: string, ...args: string[]) =>
  runAsUser([process.execPath, `${name}.js`, ...args], { cwd: folder })

t.equal(compiled.status, 0, `they and the package's types: ${compiled.stdout}`)

t.test('the examples', async (t) => {
  const json = JSON.parse((await arenaInspect(['report', core, '--json'])).stdout) as {
    heap: { totals: { inUseBytes: number; systemBytes: number }; arenas: { binnedBytes: number }[] }
    findings: unknown[]
  }
  const report = example('report-a-core', core)
  t.match(report.stdout, /^warning: 12 arenas hold/m, report.stderr)
  const { inUseBytes, systemBytes } = json.heap.totals
  t.match(report.stdout, `in use ${inUseBytes} of ${systemBytes} bytes`)
  t.match(example('report-a-core', '/etc/passwd').stderr, /not a core file/)

  const walk = example('walk-an-arena', core, '3')
  const bytes = (state: string) =>
    Number(new RegExp(`^${state}: (\\d+) bytes$`, 'm').exec(walk.stdout)?.[1] ?? 0)
  t.equal(
    bytes('binned') + bytes('unsorted'),
    json.heap.arenas[3]!.binnedBytes,
    `as the report's: ${walk.stderr}`,
  )
  t.match(walk.stdout, /^largest free chunk: \d+ bytes at 0x7f/m)

  const running = await start(
    compile('examples/programs/arena-bloat.c'),
    ['4', '4', '1', 'log:16:4096', 'out'],
    {
      cwd: folder,
    },
  )
  const largest = example('largest-live-chunks', String(running.pid))
  await running.kill()
  const sizes = [...largest.stdout.matchAll(/^(\d+) bytes at 0x[0-9a-f]+: .+$/gm)].map(([, size]) =>
    Number(size),
  )
  t.equal(sizes.length, 10, largest.stderr)
  t.same(
    sizes,
    sizes.toSorted((a, b) => b - a),
  )
  t.ok(sizes[0]! > 1 << 20, 'its mmapped blocks')

  const saved = join(folder, 'saved.json')
  writeFileSync(saved, (await arenaInspect(['report', core, '--json'])).stdout)
  const same = example('what-grew', saved, core)
  t.match(same.stdout, /^in-use \(bytes\): 0$/m, same.stderr)
  t.match(same.stdout, /^new arenas: 0$/m)
  t.notMatch(same.stdout, /: (-?[1-9]|unknown)/)

  const findings = example('write-findings', core, '/etc/passwd')
  const lines = findings.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { rule?: string; error?: string })
  t.equal(lines.length, json.findings.length + 1, findings.stderr)
  t.ok(lines.some(({ rule }) => rule === 'arena-bloat'))
  t.match(lines.at(-1)!.error, /not a core file/)
})

t.test('the pages of the API', async (t) => {
  const out = join(folder, 'api')
  const made = runAsUser(
    [join(ROOT, 'node_modules/.bin/typedoc'), '--options', join(ROOT, '.ci/typedoc.json'), '--out', out],
    { cwd: ROOT },
  )
  t.equal(made.status, 0, `warnings are errors: ${made.stdout}${made.stderr}`)
  for (const page of ['functions/openSession.html', 'interfaces/Report.html', 'classes/TargetError.html'])
    t.ok(existsSync(join(out, page)), page)
})
