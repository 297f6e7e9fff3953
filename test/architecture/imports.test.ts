// Who may import whom, and that the rules catch what they forbid.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { ROOT, scratch } from '../support/programs.js'

const CONFIG = join(ROOT, 'test/architecture/dependency-cruiser.cjs')

interface Cruise {
  readonly summary: {
    readonly totalCruised: number
    readonly violations: readonly {
      readonly from: string
      readonly to: string
      readonly rule: { readonly name: string }
    }[]
  }
}

function cruise(folder: string): Cruise {
  const { stdout, stderr } = spawnSync(
    join(ROOT, 'node_modules/.bin/depcruise'),
    ['src', '--config', CONFIG, '--output-type', 'json'],
    { cwd: folder, encoding: 'utf8', maxBuffer: 64 << 20 },
  )
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout) as Cruise
}

t.test('the house keeps its rules', async (t) => {
  const { summary } = cruise(ROOT)
  t.ok(summary.totalCruised > 50, 'the sources were looked at')
  t.same(
    summary.violations.map(({ from, to, rule }) => `${rule.name}: ${from} -> ${to}`),
    [],
  )
})

t.test('each forbidden import is caught', async (t) => {
  const folder = scratch()
  const files: Record<string, string> = {
    'tsconfig.json': readFileSync(join(ROOT, 'tsconfig.json'), 'utf8'),
    'src/memory/a.ts': "import '../malloc/a.js'\n",
    'src/malloc/a.ts': "import 'node:fs'\nimport '../target/core/a.js'\n",
    'src/target/core/a.ts': "import '../../mi/a.js'\nexport {}\n",
    'src/mi/a.ts': "import './b.js'\n",
    'src/mi/b.ts': "import './a.js'\n",
    'src/findings/a.ts': "import '../report/a.js'\n",
    'src/report/a.ts': "import '../cli/a.js'\n",
    'src/cli/a.ts': 'export {}\n',
    'src/views/text/a.ts': "import '../json/a.js'\n",
    'src/views/json/a.ts': 'export {}\n',
    'src/views/tui/a.ts': "import '../../target/core/a.js'\n",
  }
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  const found = new Set(
    cruise(folder).summary.violations.map(({ from, to, rule }) => `${rule.name}: ${from} -> ${to}`),
  )
  for (const expected of [
    'memory-imports: src/memory/a.ts -> src/malloc/a.ts',
    'malloc-imports: src/malloc/a.ts -> src/target/core/a.ts',
    'pure-rooms-do-no-io: src/malloc/a.ts -> fs',
    'only-target-gdb-knows-mi: src/target/core/a.ts -> src/mi/a.ts',
    'no-cycles: src/mi/a.ts -> src/mi/b.ts',
    'findings-imports: src/findings/a.ts -> src/report/a.ts',
    'nobody-imports-the-cli: src/report/a.ts -> src/cli/a.ts',
    'views-text-imports: src/views/text/a.ts -> src/views/json/a.ts',
    'views-tui-imports: src/views/tui/a.ts -> src/target/core/a.ts',
  ]) {
    t.ok(found.has(expected), expected)
  }
})

t.test('only the command line ends the process or prints', async (t) => {
  const offenders = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file) && !file.startsWith('cli/'))
    .filter((file) =>
      /\bprocess\.exit\(|\bconsole\.(log|error|warn|info|debug)\(/.test(
        readFileSync(join(ROOT, 'src', file), 'utf8'),
      ),
    )
  t.same(offenders, [])
  const index = readFileSync(join(ROOT, 'src/index.ts'), 'utf8')
  t.ok(index.split('\n').length <= 60, 'the public API stays under 60 lines')
})
