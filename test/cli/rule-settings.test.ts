// Thresholds, rules switched off and failOn: from the command line, from a config file, and which of them wins.
import { execFileSync } from 'node:child_process'
import { chownSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import t from 'tap'
import { parseConfig } from '../../src/cli/config-file.js'
import { configSchema } from '../../src/cli/config-schema.js'
import { explain as explainError } from '../../src/cli/exit.js'
import { ALL_RULES, ALL_THRESHOLDS } from '../../src/cli/rule-settings.js'
import type { Report } from '../../src/report/report.js'
import { arenaInspect } from '../support/command.js'
import { compile, ROOT, scratch, start } from '../support/programs.js'

const folder = scratch()
const FILE = join(folder, '.arena-inspect.json')

function lineOf(work: () => unknown): string {
  try {
    work()
    return ''
  } catch (error) {
    return explainError(error)?.line ?? String(error)
  }
}

/** `--explain RULE` in a folder with this config file. */
async function explain(config: unknown, rule: string, ...args: string[]) {
  if (config !== undefined) writeFileSync(FILE, typeof config === 'string' ? config : JSON.stringify(config))
  return arenaInspect(['report', '--explain', rule, ...args], { cwd: folder })
}

t.test(
  'every threshold has a unit in its name, a meaning and a default, and --explain lists it',
  async (t) => {
    for (const [key, { value, unit, meaning }] of ALL_THRESHOLDS) {
      const ending = {
        bytes: /Bytes$/,
        percent: /Percent$/,
        milliseconds: /Ms$/,
        count: /(?<!Bytes|Percent|Ms)$/,
      }
      t.match(key, ending[unit], `${key} is in ${unit}`)
      t.ok(meaning !== '' && value >= 0, key)
    }
    for (const rule of ['arena-bloat', 'steady-growth']) {
      const { stdout } = await explain({}, rule)
      const own = [...ALL_THRESHOLDS.keys()].filter((key) => key.startsWith(`${rule}.`))
      t.ok(own.length > 3)
      for (const key of own) t.match(stdout, `${key.slice(rule.length + 1)}=`)
    }
  },
)

t.test('defaults < file < command line', async (t) => {
  const both = ['arena-bloat.leastFreeBytes', 'arena-bloat.lowUsePercent']
  const config = { thresholds: { [both[0]!]: '8M', [both[1]!]: 33, 'steady-growth.criticalWithinMs': '2h' } }
  const file = await explain(config, 'arena-bloat')
  t.match(file.stderr, 'judged by .arena-inspect.json (--no-config leaves it out)')
  t.match(
    file.stdout,
    /leastArenas=8:.*lowUsePercent=33 %, by default 50 %:.*leastFreeBytes=8.0 MiB, by default 64.0 MiB/s,
  )
  t.match((await explain(undefined, 'steady-growth')).stdout, /criticalWithinMs=2 h, by default 1 d/)
  const line = await explain(
    undefined,
    'arena-bloat',
    '--threshold',
    `${both[0]}=1G`,
    '--threshold',
    `${both[1]}=12.5%`,
  )
  t.match(line.stdout, /lowUsePercent=12.5 %.*leastFreeBytes=1.0 GiB, by default 64.0 MiB/s)
  const none = await explain(undefined, 'arena-bloat', '--no-config')
  t.equal(none.stderr, '')
  t.match(none.stdout, /leastFreeBytes=64.0 MiB:/)
  const other = join(folder, 'other.json')
  writeFileSync(other, JSON.stringify({ thresholds: { 'arena-bloat.leastArenas': 3 } }))
  const named = await explain(undefined, 'arena-bloat', '--config', other)
  t.match(named.stdout, /leastArenas=3, by default 8/)
  t.match(named.stdout, /leastFreeBytes=64.0 MiB:/, 'instead of the one here')
})

t.test('what a file must not say, and what it was probably meant to', async (t) => {
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    ['{', /\.arena-inspect\.json is no JSON \(.*\); see docs\/configuration\.md/],
    [[], /is no JSON object/],
    [{ failon: 'warning' }, /unknown key "failon"; did you mean failOn\? it takes/],
    [{ run: 'sh' }, /unknown key "run"; it takes \$schema, failOn, thresholds, rulesOff/],
    [{ failOn: 'grave' }, /failOn takes no "grave"; it takes info, warning, critical/],
    [
      { rulesOff: ['arena-bloats'] },
      /rulesOff: no rule is called "arena-bloats"; did you mean arena-bloat\?/,
    ],
    [{ rulesOff: 'arena-bloat' }, /rulesOff is no list/],
    [
      { thresholds: { 'arena-bloat.leastArena': 3 } },
      /has no threshold "leastArena"; did you mean leastArenas\?/,
    ],
    [{ thresholds: { 'corruption.least': 3 } }, /no threshold "least"; it has none that can be set/],
    [{ thresholds: { 'arena-bloat.leastArenas': true } }, /leastArenas is neither a number nor a text/],
    [{ thresholds: { 'arena-bloat.leastArenas': 2.5 } }, /leastArenas takes no 2\.5/],
    [{ thresholds: { 'arena-bloat.leastArenas': -1 } }, /leastArenas takes no -1/],
    [{ thresholds: { 'arena-bloat.leastFreeBytes': '8 parsecs' } }, /takes a size, not "8 parsecs"/],
    [{ thresholds: { 'arena-bloat.lowUsePercent': '8M' } }, /takes percent, not "8M"/],
  ]
  const validate = new Ajv({ allowUnionTypes: true }).compile(configSchema())
  for (const [config, said] of wrong) {
    const text = typeof config === 'string' ? config : JSON.stringify(config)
    t.match(
      lineOf(() => parseConfig(text, '.arena-inspect.json')),
      said,
    )
    if (typeof config !== 'string') t.notOk(validate(config), `the schema refuses ${JSON.stringify(config)}`)
  }
  t.ok(
    validate({
      $schema: 'x',
      failOn: 'info',
      thresholds: { 'arena-bloat.lowUsePercent': '25%' },
      rulesOff: [],
    }),
  )
})

t.test('files that are none, and files of somebody else', async (t) => {
  const missing = await explain({}, 'arena-bloat', '--config', join(folder, 'missing.json'))
  t.equal(missing.code, 1)
  t.match(missing.stderr, /cannot read .*missing\.json \(ENOENT\)/)
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  t.match((await explain({}, 'arena-bloat', '--config', pipe)).stderr, /is no file/)
  if (process.getuid?.() !== 0) return t.comment('skipped: only root can give files away')
  writeFileSync(FILE, '{ "thresholds": { "arena-bloat.leastArenas": 3 } }')
  chownSync(FILE, 12345, 12345)
  const { stdout, stderr } = await explain(undefined, 'arena-bloat')
  chownSync(FILE, 0, 0)
  t.match(stderr, /belongs to user 12345: passed over/)
  t.match(stdout, /leastArenas=8:/)
})

t.test('a report says by what it was judged', async (t) => {
  writeFileSync(FILE, JSON.stringify({ failOn: 'warning', rulesOff: ['idle-arenas'] }))
  const program = compile('examples/programs/arena-bloat.c')
  const running = await start(program, ['4', '2', '1', 'log:16:4096', join(folder, 'out')], { cwd: folder })
  const pid = String(running.pid)
  const set = ['--threshold', 'arena-bloat.leastArenas=2', '--threshold', 'arena-bloat.leastFreeBytes=1M']
  const report = async (...args: string[]) =>
    arenaInspect(['report', '--pid', pid, '--no-gdb', ...args], { cwd: folder })
  const json = await report('--json', ...set)
  t.equal(json.code, 3, json.stderr)
  const { findings, rules } = JSON.parse(json.stdout) as Report
  t.ok(findings.some(({ rule }) => rule === 'arena-bloat'))
  t.same(rules, {
    thresholds: { 'arena-bloat': { leastArenas: 2, leastFreeBytes: 1 << 20 } },
    off: ['idle-arenas'],
  })
  const judged = 'arena-bloat.leastArenas=2; arena-bloat.leastFreeBytes=1048576; switched off: idle-arenas'
  t.match((await report(...set)).stdout, `Judged by   ${judged}`)
  t.match((await report(...set, '--format', 'markdown')).stdout, 'Judged by: ')
  const off = await report('--json', ...set, '--rule-off', 'arena-bloat', '--fail-on', 'critical')
  t.equal(off.code, 0, 'the command line wins')
  const without = JSON.parse(off.stdout) as Report
  t.notOk(without.findings.some(({ rule }) => rule === 'arena-bloat'))
  const plain = await report('--json', '--no-config')
  t.equal(plain.code, 0)
  t.notOk('rules' in JSON.parse(plain.stdout))
  await running.kill()
})

t.test('the published schema is that of the rules', async (t) => {
  const file = join(ROOT, 'docs/schemas/config-1.json')
  const text = `${JSON.stringify(configSchema(), null, 2)}\n`
  if (process.env.UPDATE_SCHEMAS) writeFileSync(file, text)
  t.ok(existsSync(file) && readFileSync(file, 'utf8') === text, 'run with UPDATE_SCHEMAS=1')
  const documented = readFileSync(join(ROOT, 'docs/configuration.md'), 'utf8')
  for (const [, block] of documented.matchAll(/```json\n(.*?)```/gs)) {
    t.ok(new Ajv({ allowUnionTypes: true }).compile(configSchema())(JSON.parse(block!)), block!)
  }
  t.equal(new Set(ALL_RULES.map(({ name }) => name)).size, ALL_RULES.length)
})
