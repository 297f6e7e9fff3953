// Processes in containers: another root with another glibc, from the host, from inside, and as an ordinary user.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Report } from '../../src/report/report.js'
import { isNodeError } from '../../src/target/elf/node-error.js'
import { StagedFiles } from '../../src/target/gdb/staged-files.js'
import { readCgroupLimits } from '../../src/target/live/cgroup.js'
import { insideRoot } from '../../src/target/live/inside-root.js'
import { openLive } from '../../src/target/live/open-live.js'
import { perfRecorder } from '../../src/trace/perf-recorder.js'
import type { Trace } from '../../src/trace/trace.js'
import { arenaInspect, type Ended, startArenaInspect } from '../support/command.js'
import {
  arenaInspectInside,
  type Contained,
  type ContainerRoot,
  containerRoot,
  installDebugFiles,
  noContainers,
  startIn,
  toolShared,
} from '../support/containers.js'
import { endWithUs } from '../support/end-with-us.js'
import { asTruth, glibcTruth } from '../support/glibc-truth.js'
import { mapperProgram } from '../support/mapper.js'
import { ROOT, scratch } from '../support/programs.js'
import { endingOf, waitUntil } from '../support/wait-until.js'

const SHAPES = 'test/programs/heap-shapes.c'
const CONTROL = 'test/programs/control-target.c'
/** A program of this machine; the container's of that path is ours. */
const TAKEN = '/usr/bin/env'
const isRoot = process.getuid!() === 0
const impossible = noContainers()
const skipAll = impossible === null ? {} : { skip: impossible }

/** A running program in a new root, ended with the test; null when there is none and the test is skipped. */
async function contained(
  t: Test,
  release: '2.31' | '2.43',
  source: string,
  args: readonly string[],
  options: Parameters<typeof startIn>[2] & { readonly prepare?: (root: ContainerRoot) => void } = {},
): Promise<{ readonly root: ContainerRoot; readonly running: Contained } | null> {
  const root = await containerRoot(release, source, TAKEN)
  if (typeof root === 'string') {
    t.pass(release, { skip: root })
    return null
  }
  options.prepare?.(root)
  const running = await startIn(root, [TAKEN, ...args], options)
  t.teardown(() => running.end())
  return { root, running }
}

function reported(
  t: Test,
  { code, stdout, stderr }: Pick<Ended, 'stdout' | 'stderr'> & { code: number | null },
): Report {
  t.equal(code, 0, stderr.trim())
  return JSON.parse(stdout) as Report
}

const report = (pid: number, ...more: string[]) =>
  arenaInspect(['report', '--pid', String(pid), '--json', ...more])

function truthIn({ folder }: ContainerRoot) {
  return glibcTruth(join(folder, 'tmp/out.xml'), join(folder, 'tmp/out.txt'))
}

for (const release of ['2.31', '2.43'] as const) {
  t.test(`from the host, glibc ${release}`, skipAll, async (t) => {
    const made = await contained(t, release, SHAPES, ['arenas', '/tmp/out'])
    if (!made) return
    const { root, running } = made
    const bare = reported(t, await report(running.pid))
    t.same(asTruth(bare), truthIn(root), 'the figures of its own malloc_info and malloc_stats')
    t.equal(bare.target.glibc!.version, release)
    t.equal(bare.target.glibc!.layoutFrom, 'table', 'no debug files are there')
    t.equal(bare.target.label, `pid ${running.pid} (1 in its PID namespace)`)
    const text = await arenaInspect(['report', '--pid', String(running.pid)])
    t.match(text.stdout.split('\n')[0], `pid ${running.pid} (1 in its PID namespace) · `)
    installDebugFiles(root)
    const full = reported(t, await report(running.pid))
    t.equal(full.target.glibc!.layoutFrom, 'debug-info', 'by the debug files of its own root')
    t.same(asTruth(full), truthIn(root))
    // A program of the same path is here, with other symbols.
    const main = openLive(running.pid)
      .modules()
      .find((module) => module.isProgram)!
    const symbol = execFileSync('nm', [join(root.folder, TAKEN)], { encoding: 'utf8' })
    const at = BigInt(`0x${/^([0-9a-f]+) T main$/m.exec(symbol)![1]}`) + main.loadBias!
    const dump = await arenaInspect(['x', '--pid', String(running.pid), `0x${at.toString(16)}`])
    t.match(dump.stdout, /<main>/, dump.stderr)
  })

  t.test(`calls into it from the host, glibc ${release}`, skipAll, async (t) => {
    const made = await contained(t, release, CONTROL, ['arenas', '/tmp/page', '4'])
    if (!made) return
    const pid = String(made.running.pid)
    const verified = await arenaInspect(['verify', '--pid', pid, '--yes'])
    t.equal(verified.code, 0, verified.stderr.trim())
    t.match(verified.stdout, /Every number equals glibc's own/)
    const stats = await arenaInspect(['stats', '--pid', pid, '--yes'])
    t.match(stats.stdout, /Arena 4:\nsystem bytes/)
    const trimmed = await arenaInspect(['trim', '--pid', pid, '--yes', '--json'])
    t.equal(trimmed.code, 0, trimmed.stderr.trim())
    t.equal(openLive(made.running.pid).threads().length, 5, 'it runs on')
  })
}

for (const recorder of ['perf', 'gdb'] as const) {
  t.test(`who maps memory in it, from the host, by ${recorder}`, skipAll, async (t) => {
    const whyNot = recorder === 'perf' ? await perfRecorder.whyNot(process.pid) : null
    if (whyNot !== null) {
      t.pass(recorder, { skip: `perf cannot be used here: ${whyNot}` })
      return
    }
    const made = await contained(t, '2.31', 'test/programs/mapper.c', ['arenas', '3', '100'])
    if (!made) return
    const { pid } = made.running
    const { child, ended, stderr, ending } = startArenaInspect([
      ...['trace', '--pid', String(pid), '--recorder', recorder, '--format', 'json'],
    ])
    await waitUntil('it watches', () => stderr().includes('watching process'), ending)
    process.kill(pid, 'SIGUSR1')
    const hasWorked = () => made.running.printed().includes('mmapCalls')
    await waitUntil('it has done its work', hasWorked, made.running.ending)
    child.kill('SIGINT')
    const { stdout, code } = await ended
    t.equal(code, 130, stderr())
    const trace = JSON.parse(stdout) as Trace
    t.equal(trace.recorder, recorder)
    t.same([trace.births.arenas, trace.births.heaps, trace.lostEvents], [3, 6, 0])
    const born = trace.groups.filter(({ kind }) => kind === 'birth')
    t.ok(born.length > 0)
    for (const { stack } of born) {
      const { frames, cut } = trace.stacks[stack!]!
      const names = frames.map((index) => trace.frames[index]!.function)
      t.equal(cut, false, names.join(' '))
      t.ok(names.includes('arena_main'), 'by the symbols of its own file')
    }
    t.equal(openLive(pid).threads().length, 4, 'it runs on')
  })
}

/** In a PID namespace of its own: a mapper, and arena-inspect that traces it; each line of stdin goes one step on. */
const TRACE_INSIDE = `
"$1" arenas 3 100 > "$5" & mapper=$!
env -u NODE_OPTIONS "$2" "$3" trace --pid $mapper --recorder "$4" --format json & trace=$!
read -r line; kill -USR1 $mapper
read -r line; kill -INT $trace; wait $trace; code=$?
kill -KILL $mapper; exit $code
`

for (const recorder of ['perf', 'gdb'] as const) {
  t.test(`who maps memory, from inside a PID namespace, by ${recorder}`, skipAll, async (t) => {
    const whyNot = recorder === 'perf' ? await perfRecorder.whyNot(process.pid) : null
    if (whyNot !== null || !isRoot) {
      t.pass(recorder, { skip: `cannot be used here: ${whyNot ?? 'needs root'}` })
      return
    }
    const printed = join(scratch(), 'printed')
    const words = [mapperProgram(), process.execPath, join(ROOT, 'dist/cli.js'), recorder, printed]
    const child = spawn(
      'unshare',
      [
        '--mount',
        '--pid',
        '--fork',
        '--kill-child',
        '--mount-proc',
        'sh',
        '-c',
        TRACE_INSIDE,
        'sh',
        ...words,
      ],
      { stdio: 'pipe' },
    )
    endWithUs(child)
    const said = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        said[name] += text
      })
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
    const ending = endingOf(child, () => said.stderr)
    await waitUntil('it watches', () => said.stderr.includes('watching process'), ending)
    t.match(said.stderr, /watching process \d;/, 'a number of the namespace')
    child.stdin.write('\n')
    const hasWorked = () => readFileSync(printed, 'utf8').includes('mmapCalls')
    await waitUntil('it has done its work', hasWorked, ending)
    child.stdin.write('\n')
    t.equal(await ended, 130, said.stderr)
    const { births, lostEvents } = JSON.parse(said.stdout) as Trace
    t.same([births.arenas, births.heaps, lostEvents], [3, 6, 0])
  })
}

t.test('gdb knows the file of the container by a name that leads to it', skipAll, async (t) => {
  const made = await contained(t, '2.43', SHAPES, ['arenas', '/tmp/out'])
  if (!made) return
  const staged = new StagedFiles()
  t.teardown(() => staged.remove())
  const libc = openLive(made.running.pid)
    .modules()
    .find(({ path }) => path.endsWith('/libc.so.6'))!
  t.match(libc.file, /^\/proc\//)
  const path = staged.pathOf(libc.file!, libc.path)
  const script = ['-ex', `add-symbol-file ${path} -o 0`, '-ex', 'python print(gdb.objfiles()[0].filename)']
  const name = execFileSync('gdb', ['-nx', '-batch', ...script], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .at(-1)!
  t.ok(readFileSync(name).equals(readFileSync(made.root.libc)), `${name} is its libc`)
  staged.remove()
  t.notOk(existsSync(path), 'the copy goes')
})

t.test('from inside, where there is no gdb', skipAll, async (t) => {
  // Node and its libraries are this machine's; the container has another glibc.
  await arenaInspect(['--version'])
  const made = await contained(t, '2.31', SHAPES, ['arenas', '/tmp/out'], { shared: toolShared() })
  if (!made) return
  const { root, running } = made
  const inside = (...args: string[]) => arenaInspectInside(running.pid, root, args)
  const answer = inside('report', '--pid', '1', '--json')
  const figures = reported(t, { ...answer, code: answer.status })
  t.same(asTruth(figures), truthIn(root))
  t.equal(figures.target.label, 'pid 1', 'numbers are as inside')
  t.same(figures.problems, ['gdb not found (apt-get install gdb)'])
  t.equal(answer.stderr, 'arena-inspect: note: gdb not found (apt-get install gdb)\n', 'one line')
  t.match(inside('threads', '--pid', '1').stdout, /^ +1 /m)
  const other = inside('report', '--pid', String(running.pid))
  t.equal(other.status, 1, 'its number outside is no number here')
  t.match(other.stderr, /^arena-inspect: no process \d+; .*in a container.*\n$/)
  const calls = inside('stats', '--pid', '1', '--yes')
  t.equal(calls.status, 1)
  t.match(
    calls.stderr,
    /^arena-inspect: nothing was called: neither gdb's Python \(.*not found\) nor python3 \(.*not found\).*; install gdb or python3 .*\n$/,
    'one line',
  )
  t.match(inside('x', '--pid', '1', 'main_arena').stderr, /^arena-inspect: main_arena .*gdb not found.*\n$/)
})

t.test('an ordinary user: own processes, not those of others', skipAll, async (t) => {
  const made = await contained(t, '2.43', SHAPES, ['arenas', '/tmp/out'], {
    as: 'nobody',
    prepare: installDebugFiles,
  })
  if (!made) return
  const pid = String(made.running.pid)
  const user = isRoot ? { uid: 65534, gid: 65534 } : {}
  if (isRoot && !readableByNobody())
    return void t.pass('as nobody', { skip: 'another user cannot read this checkout' })
  const own = reported(t, await arenaInspect(['report', '--pid', pid, '--json'], user))
  t.same(asTruth(own), truthIn(made.root))
  t.equal(own.target.glibc!.layoutFrom, 'debug-info')
  t.match(own.target.label, /\(1 in its PID namespace\)$/)
  if (!isRoot)
    return void t.pass('processes of others', { skip: 'only root can make a process of another user' })
  const others = await contained(t, '2.43', SHAPES, ['arenas', '/tmp/out'])
  const refused = await arenaInspect(['report', '--pid', String(others!.running.pid)], user)
  t.equal(refused.code, 1)
  t.equal(refused.stdout, '')
  t.match(
    refused.stderr,
    /^arena-inspect: may not read .* belongs to user 0, you are user 65534 .*; run `sudo [^\n]*\n$/,
  )
})

function readableByNobody(): boolean {
  const { status } = spawnSync(
    process.execPath,
    ['-e', `require('node:fs').readFileSync(${JSON.stringify(join(ROOT, 'dist/cli.js'))})`],
    { uid: 65534, gid: 65534 },
  )
  return status === 0
}

t.test('deleted and replaced files', skipAll, async (t) => {
  for (const as of isRoot ? (['root', 'nobody'] as const) : (['nobody'] as const)) {
    const made = await contained(t, '2.43', SHAPES, ['arenas', '/tmp/out'], { as })
    if (!made) return
    const { root, running } = made
    const user = isRoot && as === 'nobody' ? { uid: 65534, gid: 65534 } : {}
    const ask = async () =>
      reported(t, await arenaInspect(['report', '--pid', String(running.pid), '--json'], user))
    const fileOfLibc = () =>
      openLive(running.pid)
        .modules()
        .find(({ path }) => path.endsWith('/libc.so.6'))!
    for (const what of ['deleted', 'replaced', 'a FIFO'] as const) {
      for (const file of [root.libc, join(root.folder, TAKEN)]) replace(what, file)
      const figures = await ask()
      t.same(asTruth(figures), truthIn(root), `${as}, ${what}`)
      t.equal(figures.target.glibc!.version, '2.43', 'libc is known by what is mapped')
      t.ok(
        figures.problems.includes(
          `the program ${TAKEN} was deleted or replaced on disk since it was started`,
        ),
      )
      const why = { deleted: /no such file/, replaced: /build-id differs/, 'a FIFO': /no regular file/ }[what]
      if (isRoot) t.match(fileOfLibc().file, /^\/proc\/\d+\/map_files\//, 'the kernel still has it')
      if (as === 'nobody' && (isRoot || what !== 'deleted'))
        t.match(figures.problems.join('\n'), why, 'what is missing is said')
    }
  }
})

/** What has become of a file that a process has mapped. */
function replace(what: 'deleted' | 'replaced' | 'a FIFO', file: string): void {
  rmSync(file, { force: true })
  if (what === 'a FIFO') execFileSync('mkfifo', [file])
  if (what === 'replaced') {
    copyFileSync('/bin/true', `${file}.new`)
    renameSync(`${file}.new`, file)
  }
}

t.test('paths are followed inside a root only', async (t) => {
  const root = scratch()
  mkdirSync(join(root, 'usr/lib'), { recursive: true })
  writeFileSync(join(root, 'usr/lib/libc.so.6'), '')
  symlinkSync('/usr/lib', join(root, 'lib'))
  symlinkSync('../../../../../usr/lib/libc.so.6', join(root, 'usr/up'))
  symlinkSync('loop', join(root, 'loop'))
  symlinkSync('/etc/passwd', join(root, 'passwd'))
  const real = join(root, 'usr/lib/libc.so.6')
  for (const path of ['/usr/lib/libc.so.6', '/lib/libc.so.6', '/usr/up', '/usr/../../lib//./libc.so.6'])
    t.equal(insideRoot(root, path), real, path)
  for (const path of ['/loop', '/passwd', '/nothing', '/usr/lib/libc.so.6/below'])
    t.equal(insideRoot(root, path), null, path)
})

t.test('the limit of its control group', skipAll, async (t) => {
  const group = memoryGroup()
  if (typeof group === 'string') return void t.pass('memory limit', { skip: group })
  const made = await contained(t, '2.43', SHAPES, ['arenas', '/tmp/out'])
  t.teardown(async () => {
    await made?.running.end()
    await group.remove()
  })
  if (!made) return
  writeFileSync(join(group.folder, 'cgroup.procs'), String(made.running.pid))
  t.equal(readCgroupLimits(made.running.pid).memoryLimitBytes, 256 << 20)
  t.not(readCgroupLimits(process.pid).memoryLimitBytes, 256 << 20)
})

// A process that was killed stays in its group until its memory is gone.
function isRemoved(folder: string): boolean {
  try {
    rmdirSync(folder)
  } catch (error) {
    if (isNodeError(error) && error.code === 'EBUSY') return false
    throw error
  }
  return true
}

/** A control group of 256 MiB, or why there is none. */
function memoryGroup(): { readonly folder: string; remove(): Promise<void> } | string {
  for (const [hierarchy, limit] of [
    ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'],
    ['/sys/fs/cgroup', 'memory.max'],
  ] as const) {
    const folder = join(hierarchy, `arena-inspect-test-${process.pid}`)
    try {
      mkdirSync(folder)
    } catch {
      continue
    }
    try {
      writeFileSync(join(folder, limit), String(256 << 20))
      return { folder, remove: () => waitUntil('the group is empty', () => isRemoved(folder)) }
    } catch {
      rmdirSync(folder)
    }
  }
  return 'no control group with a memory limit can be made here'
}
