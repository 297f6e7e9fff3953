// The commands end to end, as a user runs them, on a real core and a real process.
import { execFileSync } from 'node:child_process'
import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Report } from '../../src/report/report.js'
import { arenaInspect, type Ended } from '../support/command.js'
import { asTruth, glibcTruth, withoutNames } from '../support/glibc-truth.js'
import { compile, gcore, kernelCore, kernelCores, type Running, scratch, start } from '../support/programs.js'

const folder = scratch()
const out = join(folder, 'out')
const program = compile('examples/programs/arena-bloat.c')

async function incident(): Promise<Running> {
  return start(program, ['24', '6', '1', 'log:16:4096', out], { cwd: folder })
}

async function coreOf(running: Running, name: string): Promise<string> {
  if (kernelCores()) return kernelCore(running, folder, name)
  const core = gcore(running.pid, join(folder, name))
  await running.kill()
  return core
}

/** One line on stderr, no stack trace, nothing on stdout. */
function oneLine(t: Test, ended: Ended, code: number, says: RegExp): void {
  t.equal(ended.code, code)
  t.equal(ended.stdout, '')
  t.match(ended.stderr, says)
  t.equal(ended.stderr.trimEnd().split('\n').length, 1, ended.stderr)
  t.notMatch(ended.stderr, /\n\s+at /)
}

t.test('a live process and its core', async (t) => {
  const running = await incident()
  const truth = glibcTruth(`${out}.malloc_info.xml`, `${out}.malloc_stats.txt`)
  const live = await arenaInspect(['report', '--pid', String(running.pid), '--json'])
  t.equal(live.code, 0)
  t.equal(live.stderr, '')
  const report = JSON.parse(live.stdout) as Report
  t.equal(report.schema, 'arena-inspect/1')
  t.equal(report.complete, true)
  t.same(asTruth(report), truth, 'live equals malloc_info and malloc_stats')
  t.match(report.target, {
    kind: 'live',
    label: `pid ${running.pid}`,
    pid: running.pid,
    executable: program,
    threads: 25,
  })
  const total = report.maps.categories.reduce((sum, category) => sum + category.virtualBytes, 0)
  t.equal(total, addressSpaceOf(running.pid), 'the categories are the whole address space')
  const text = await arenaInspect(['--pid', String(running.pid)])
  t.equal(text.code, 0)
  t.match(text.stdout, / WARNING +24 arenas hold /)
  t.match(text.stdout, / Where the address space goes +mappings +virtual +resident/)

  const core = await coreOf(running, 'core.incident')
  const saved = join(folder, 'report.json')
  const written = await arenaInspect([
    'report',
    core,
    '--format',
    'json',
    '-o',
    saved,
    '--fail-on',
    'warning',
  ])
  t.equal(written.code, 3, 'a warning reaches --fail-on warning')
  t.equal(written.stdout, '')
  const fromCore = JSON.parse(readFileSync(saved, 'utf8')) as Report
  t.same(withoutNames(fromCore.heap), withoutNames(report.heap), 'core and live agree')
  t.match(fromCore.target, { kind: 'core', label: core, pid: running.pid, executable: program, threads: 25 })
  t.equal((await arenaInspect(['report', core, '--fail-on', 'critical'])).code, 0)
  const bare = await arenaInspect([core])
  t.match(
    bare.stdout,
    /glibc 2\.\d+ \(main_arena found in memory, layout of this version, confirmed by 24 of 24 arenas\)/,
  )
  t.notOk(bare.stdout.includes('\x1b'), 'no colour into a pipe')
  const arenas = await arenaInspect(['arenas', core])
  t.equal(arenas.stdout.trimEnd().split('\n').length, 25, 'a title and 24 arenas')
  for (const arena of fromCore.heap!.arenas) t.match(arenas.stdout, arena.address)

  await t.test('errors', async (t) => {
    const cut = join(folder, 'core.cut')
    copyFileSync(core, cut)
    truncateSync(cut, 3_000_000)
    const partial = await arenaInspect(['report', cut, '--json'])
    t.equal(partial.code, 0)
    t.equal((JSON.parse(partial.stdout) as Report).complete, false)
    t.match(
      partial.stderr,
      /^arena-inspect: the report is partial: the file is truncated: it ends at 3000000 of \d+ bytes[^\n]*\n$/,
    )
    t.equal((await arenaInspect(['report', cut, '--strict'])).code, 4)
    const text = join(folder, 'notes.txt')
    writeFileSync(text, 'meeting notes\n')
    oneLine(t, await arenaInspect([text]), 1, /is not a core file.*gcore PID/)
    oneLine(t, await arenaInspect([join(folder, 'nothing')]), 1, /no such file; /)
    const missing = join(folder, 'no-gdb')
    const unasked = await arenaInspect([core, '--gdb', missing, '--debug'])
    t.equal(unasked.code, 0, 'memory leaves no doubt')
    t.match(
      unasked.stderr,
      /^arena-inspect: note: gdb not found: [^\n]+ \(apt-get install gdb\)\n$/,
      'gdb is not needed, but its absence is said',
    )
    const noGdb = await arenaInspect([cut, '--gdb', missing])
    t.equal(noGdb.code, 0)
    t.match(noGdb.stdout, /gdb not found: [^\n]+ \(apt-get install gdb\)/, 'in doubt gdb is asked')
    const asked = await arenaInspect(['report', cut, '--debug'])
    t.match(asked.stderr, /gdb to-gdb \d+-list-features/, 'and answers')
    truncateSync(cut, 100)
    oneLine(t, await arenaInspect([cut]), 1, /is cut inside its headers.*; copy it again/)
    const withoutGdb = JSON.parse(
      (await arenaInspect(['report', core, '--no-gdb', '--json'])).stdout,
    ) as Report
    t.same(withoutGdb.heap, fromCore.heap, 'the same figures without gdb')
    oneLine(t, await arenaInspect(['--pid', '999999999']), 1, /no process 999999999; /)
    t.equal((await arenaInspect(['--pid', 'six'])).code, 2)
    t.equal((await arenaInspect(['--no-such-option'])).code, 2)
    t.equal((await arenaInspect([])).code, 2)
    t.equal((await arenaInspect(['report', core, '-o', join(folder, 'no/where')])).code, 1)
  })
})

t.test('a process of another user', async (t) => {
  if (process.getuid!() !== 0) {
    t.pass('as another user', { skip: 'only root can become another user' })
    return
  }
  const running = await incident()
  const ended = await asNobody(running.pid)
  await running.kill()
  if (ended === null) {
    t.pass('as another user', { skip: 'another user cannot read this checkout' })
    return
  }
  oneLine(t, ended, 1, /sudo arena-inspect --pid \d+/)
  t.match(ended.stderr, /another user|same user|CAP_SYS_PTRACE/)
})

async function asNobody(pid: number): Promise<Ended | null> {
  try {
    execFileSync(process.execPath, ['-e', `require('node:fs').readFileSync('dist/cli.js')`], {
      uid: 65534,
      gid: 65534,
      stdio: 'ignore',
    })
  } catch {
    return null
  }
  return arenaInspect(['--pid', String(pid)], { uid: 65534, gid: 65534 })
}

t.test('a program without glibc', async (t) => {
  const source =
    'void _start(void) { __asm__ volatile("mov $39,%eax; syscall; mov %eax,%edi; mov $6,%esi; mov $62,%eax; syscall; ud2"); }'
  const bare = compile(source, ['-nostdlib', '-static', '-ffreestanding'])
  if (!kernelCores()) {
    t.pass('core without glibc', { skip: 'core_pattern sends cores elsewhere on this machine' })
    return
  }
  const place = scratch()
  execFileSync('/bin/sh', ['-c', 'ulimit -c unlimited; cd "$0"; "$1"; mv core* bare', place, bare], {
    stdio: 'ignore',
  })
  const core = join(place, 'bare')
  const ended = await arenaInspect(['report', core, '--json'])
  t.equal(ended.code, 0)
  const report = JSON.parse(ended.stdout) as Report
  t.equal(report.heap, null)
  t.equal(report.target.glibc, null)
  t.equal(report.complete, false)
  t.ok(report.maps.categories.length > 0, 'the address space is still told')
  t.match(ended.stderr, /^arena-inspect: the report is partial: [^\n]*no [^\n]*\n$/)
  const arenas = await arenaInspect(['arenas', core])
  oneLine(t, arenas, 1, /no glibc malloc was found here/)
})

t.test('maps of a process and of a saved file', async (t) => {
  const running = await incident()
  const saved = join(folder, 'maps.txt')
  const maps = readFileSync(`/proc/${running.pid}/maps`, 'utf8')
  writeFileSync(saved, maps)
  const expected = addressSpaceOf(running.pid)
  for (const by of ['category', 'path', 'suffix', 'permissions']) {
    const fromFile = JSON.parse((await arenaInspect(['maps', saved, '--by', by, '--json'])).stdout) as {
      rows: { virtualBytes: number }[]
    }
    t.equal(
      fromFile.rows.reduce((sum, row) => sum + row.virtualBytes, 0),
      expected,
      `file by ${by}`,
    )
    const bytes = fromFile.rows.map((row) => row.virtualBytes)
    t.same(
      bytes,
      [...bytes].sort((a, b) => b - a),
      'sorted by bytes',
    )
    const live = JSON.parse(
      (await arenaInspect(['maps', '--pid', String(running.pid), '--by', by, '--json'])).stdout,
    ) as typeof fromFile
    t.equal(
      live.rows.reduce((sum, row) => sum + row.virtualBytes, 0),
      expected,
      `live by ${by}`,
    )
  }
  const text = await arenaInspect(['maps', saved])
  t.match(text.stdout, /arena heaps, committed +\d+/)
  writeFileSync(saved, `${maps}this is no mapping\n`)
  oneLine(t, await arenaInspect(['maps', saved]), 1, /line \d+/)
  await running.kill()
})

function addressSpaceOf(pid: number): number {
  return readFileSync(`/proc/${pid}/maps`, 'utf8')
    .trimEnd()
    .split('\n')
    .reduce((sum, line) => {
      const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+)/.exec(line)!
      return sum + Number(BigInt(`0x${to}`) - BigInt(`0x${from}`))
    }, 0)
}
