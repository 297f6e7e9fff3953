// npm run bench: the report of large cores beside header-walk, a C program that only touches every chunk header,
// and the TUI's frames beside those of an empty Ink app.
// usage: npm run bench [-- SIZE...]; SIZE: s (0.4 GB core), m (2.8 GB), l (9.2 GB). Default: m l. Needs the room in TMPDIR.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { benchTui } from './tui.mjs'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SIZES = {
  s: ['16', '12.5', '1', 'log:16:4096'],
  m: ['64', '32', '60', 'exp:200:16:4096'],
  l: ['64', '128', '1', 'log:16:4096'],
}
const ROUNDS = 5

const wanted = process.argv.slice(2)
const unknown = wanted.find((size) => !(size in SIZES))
if (unknown !== undefined) {
  console.error(`unknown size ${unknown}; sizes are ${Object.keys(SIZES).join(' ')}`)
  process.exit(2)
}
const folder = mkdtempSync(join(tmpdir(), 'arena-inspect-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

const program = join(folder, 'arena-bloat')
const walker = join(folder, 'header-walk')
const gcc = (source, target, ...flags) => execFileSync('gcc', [join(ROOT, source), '-o', target, ...flags])
gcc('examples/programs/arena-bloat.c', program, '-g', '-O1', '-pthread', '-lm')
gcc('test/bench/header-walk.c', walker, '-O2', '-w')

for (const size of wanted.length > 0 ? wanted : ['m', 'l']) await bench(size)

async function bench(size) {
  const core = await makeCore(size)
  const addresses = gdb(core, 'printf "%p %p\\n",&main_arena,&mp_').trim().split('\n').at(-1).split(' ')
  const cli = join(ROOT, 'dist/cli.js')
  const commands = {
    'arena-inspect report': [process.execPath, cli, 'report', core, '--format', 'text'],
    'arena-inspect report --no-gdb': [process.execPath, cli, 'report', core, '--no-gdb'],
    'header-walk (C), headers only': ['env', 'NOBINS=1', walker, core, ...addresses],
    'gdb opens the core': ['gdb', '-nx', '-batch', program, core],
  }
  const report = JSON.parse(
    execFileSync(process.execPath, [cli, 'report', core, '--json'], { maxBuffer: 1 << 28 }),
  )
  const { totals, arenas } = report.heap
  console.log(`\n${size.toUpperCase()}: ${SIZES[size].join(' ')}; core ${gib(statSync(core).size)}`)
  console.log(`system bytes ${totals.systemBytes} in ${arenas.length} arenas, in use ${totals.inUseBytes}`)
  for (const { title } of report.findings) console.log(`finding: ${title}`)
  const runs = Object.fromEntries(Object.keys(commands).map((name) => [name, []]))
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, command] of Object.entries(commands)) {
      const figures = measure(command)
      if (round > 0) runs[name].push(figures)
    }
  }
  const limit = median(runs['header-walk (C), headers only'].map(({ cpu }) => cpu))
  console.log(
    'medians of',
    ROUNDS,
    'runs after a warm-up: wall s, CPU s, CPU ratio to header-walk, peak MB (largest process)',
  )
  for (const [name, all] of Object.entries(runs)) {
    const of = (figure) => median(all.map((run) => run[figure]))
    const cells = [
      of('wall').toFixed(2),
      of('cpu').toFixed(2),
      `${(of('cpu') / limit).toFixed(2)}×`,
      of('peakMb').toFixed(0),
    ]
    console.log(`  ${name.padEnd(32)}${cells.map((cell) => cell.padStart(9)).join('')}`)
  }
  const reportMb = median(runs['arena-inspect report'].map(({ peakMb }) => peakMb))
  await benchTui(cli, core, reportMb)
  rmSync(core)
}

async function makeCore(size) {
  console.error(`making the core of size ${size} …`)
  const run = ['ulimit -c unlimited; exec "$0" "$@"', program, ...SIZES[size], 'out']
  const child = spawn('/bin/sh', ['-c', ...run], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
  await once(createInterface({ input: child.stdout }), 'line')
  child.kill('SIGABRT')
  await once(child, 'exit')
  const found = readdirSync(folder).find((name) => name.startsWith('core'))
  if (!found)
    throw new Error(`no core: core_pattern is ${readFileSync('/proc/sys/kernel/core_pattern', 'utf8')}`)
  return join(folder, found)
}

function gdb(core, command) {
  return execFileSync('gdb', ['-nx', '-batch', '-ex', command, program, core], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
}

function measure(command) {
  const { stderr, status } = spawnSync('/usr/bin/time', ['-f', '%e %U %S %M', ...command], {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  if (status !== 0) throw new Error(`${command.join(' ')} failed: ${stderr}`)
  const [wall, user, system, kilobytes] = stderr.trimEnd().split('\n').at(-1).split(' ').map(Number)
  return { wall, cpu: user + system, peakMb: kilobytes / 1000 }
}

function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1]
}

function gib(bytes) {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`
}
