// Surroundings of a process: control groups of every make from made-up folders, then a real process in a real group.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { countCpus } from '../../src/target/live/cpu-list.js'
import { readSurroundings } from '../../src/target/live/surroundings.js'
import { compile, scratch, start } from '../support/programs.js'

const PID = 42
const MIB = 2 ** 20

function root(files: Readonly<Record<string, string>>): string {
  const folder = scratch()
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

const of = (files: Readonly<Record<string, string>>) => readSurroundings(PID, root(files))
const V2_MOUNT = '30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n'
const V1_MOUNTS = [
  '32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct',
  '36 31 0:33 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
  '',
].join('\n')

t.test('lists of CPUs', async (t) => {
  t.equal(countCpus('0\n'), 1)
  t.equal(countCpus('0-3,8,10-11'), 7)
  for (const odd of ['', '3-1', 'a', '1,,2', '0-']) t.equal(countCpus(odd), null, JSON.stringify(odd))
})

t.test('nothing can be read', async (t) => {
  t.same(of({}), {
    onlineCpus: null,
    allowedCpus: null,
    quotaCpus: null,
    memoryLimitBytes: null,
    memoryUsedBytes: null,
    mostMappings: null,
    mallocEnvironment: null,
  })
})

t.test('CPUs, mappings, and of the environment only what malloc reads', async (t) => {
  const found = of({
    'sys/devices/system/cpu/online': '0-63\n',
    'proc/42/status': 'Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-3,8-11\nMems_allowed:\t1\n',
    'proc/sys/vm/max_map_count': '65530\n',
    'proc/42/environ':
      'PASSWORD=hush\0MALLOC_ARENA_MAX=4\0XMALLOC_ARENA_MAX=9\0MALLOC_TRIM_THRESHOLD_=1\nx\0GLIBC_TUNABLES=glibc.malloc.tcache_count=0\0',
  })
  t.match(found, { onlineCpus: 64, allowedCpus: 8, mostMappings: 65530 })
  t.same(found.mallocEnvironment, [
    ['MALLOC_ARENA_MAX', '4'],
    ['MALLOC_TRIM_THRESHOLD_', '1\nx'],
    ['GLIBC_TUNABLES', 'glibc.malloc.tcache_count=0'],
  ])
  t.notMatch(JSON.stringify(found), /hush/)
})

t.test('v2: the least of all levels counts, with its own charge', async (t) => {
  const files = {
    'proc/self/mountinfo': V2_MOUNT,
    'proc/42/cgroup': '0::/pod/app\n',
    'sys/fs/cgroup/pod/cpu.max': '150000 100000\n',
    'sys/fs/cgroup/pod/memory.max': `${512 * MIB}\n`,
    'sys/fs/cgroup/pod/memory.current': `${300 * MIB}\n`,
    'sys/fs/cgroup/pod/app/cpu.max': '400000 100000\n',
    'sys/fs/cgroup/pod/app/memory.max': 'max\n',
    'sys/fs/cgroup/pod/app/memory.current': `${100 * MIB}\n`,
  }
  t.match(of(files), { quotaCpus: 1.5, memoryLimitBytes: 512 * MIB, memoryUsedBytes: 300 * MIB })
  const inner = { ...files, 'sys/fs/cgroup/pod/app/memory.max': `${256 * MIB}\n` }
  t.match(of(inner), { memoryLimitBytes: 256 * MIB, memoryUsedBytes: 100 * MIB })
  const none = { ...files, 'sys/fs/cgroup/pod/cpu.max': 'max 100000\n', 'sys/fs/cgroup/pod/app/cpu.max': '' }
  t.equal(of(none).quotaCpus, null, 'max is no quota')
})

t.test('v1: quota and period, and its way to say no limit', async (t) => {
  const files = {
    'proc/self/mountinfo': V1_MOUNTS,
    'proc/42/cgroup': '4:cpu,cpuacct:/a/b\n3:memory:/a\n0::/\n',
    'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '-1\n',
    'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000\n',
    'sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us': '50000\n',
    'sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us': '25000\n',
    'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    'sys/fs/cgroup/memory/a/memory.limit_in_bytes': `${64 * MIB}\n`,
    'sys/fs/cgroup/memory/a/memory.usage_in_bytes': `${60 * MIB}\n`,
  }
  t.match(of(files), { quotaCpus: 2, memoryLimitBytes: 64 * MIB, memoryUsedBytes: 60 * MIB })
  const { 'sys/fs/cgroup/memory/a/memory.limit_in_bytes': _, ...open } = files
  t.match(of(open), { memoryLimitBytes: null, memoryUsedBytes: null }, 'the root group has no limit')
})

t.test('hybrid: v1 controllers beside an empty v2 hierarchy', async (t) => {
  const found = of({
    'proc/self/mountinfo': `${V1_MOUNTS}40 31 0:37 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n`,
    'proc/42/cgroup': '4:cpu,cpuacct:/svc\n3:memory:/svc\n0::/svc\n',
    'sys/fs/cgroup/cpu,cpuacct/svc/cpu.cfs_quota_us': '300000\n',
    'sys/fs/cgroup/cpu,cpuacct/svc/cpu.cfs_period_us': '100000\n',
    'sys/fs/cgroup/unified/svc/cgroup.procs': '42\n',
  })
  t.match(found, { quotaCpus: 3, memoryLimitBytes: null })
})

t.test('containers', async (t) => {
  const host = of({
    'proc/self/mountinfo': '32 31 0:29 /docker/c1 /sys/fs/cgroup/my\\040cpu rw - cgroup cgroup rw,cpu\n',
    'proc/42/cgroup': '4:cpu:/docker/c1/in\n',
    'sys/fs/cgroup/my cpu/cpu.cfs_quota_us': '50000\n',
    'sys/fs/cgroup/my cpu/cpu.cfs_period_us': '100000\n',
  })
  t.equal(host.quotaCpus, 0.5, 'a mount that shows a group of the host')
  const outside = {
    'proc/self/mountinfo': V2_MOUNT,
    'proc/42/cgroup': '0::/../c2\n',
    'sys/fs/cgroup/cpu.max': '100000 100000\n',
  }
  t.equal(of(outside).quotaCpus, null, 'a neighbour outside our namespace cannot be seen')
  const through = of({
    ...outside,
    'proc/42/mountinfo': '90 89 0:26 /../c2 /sys/fs/cgroup ro - cgroup2 cgroup rw\n',
    'proc/42/root/sys/fs/cgroup/cpu.max': '70000 100000\n',
  })
  t.equal(through.quotaCpus, 0.7, '… but for its own mount')
  t.equal(of({ ...outside, 'proc/42/cgroup': '0::/c1/../c2\n' }).quotaCpus, null, 'no way up in the middle')
})

const WAITS = '#include <unistd.h>\nint main(void){ write(1, "ready\\n", 6); for (;;) pause(); }\n'

t.test('a real process', async (t) => {
  const env = { MALLOC_ARENA_MAX: '3', SECRET: 'hush' }
  const running = await start('taskset', ['-c', '0', compile(WAITS)], { env })
  const found = readSurroundings(running.pid)
  t.ok(found.onlineCpus! >= availableParallelism(), `${found.onlineCpus} online`)
  t.equal(found.allowedCpus, 1)
  t.equal(found.mostMappings, Number(readFileSync('/proc/sys/vm/max_map_count', 'utf8')))
  t.same(
    found.mallocEnvironment!.filter(([name]) => name === 'MALLOC_ARENA_MAX'),
    [['MALLOC_ARENA_MAX', '3']],
  )
  t.notMatch(JSON.stringify(found), /hush/)
  await running.kill()
})

// A child of our own CPU group with half a CPU, or why there is none.
function halfCpuGroup(): { readonly folder: string } | { readonly reason: string } {
  const own = /^\d+:(?:[^:]*,)?cpu(?:,[^:]*)?:(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1]
  const mount = spawnSync('findmnt', ['-n', '-o', 'TARGET', '-t', 'cgroup', '-O', 'cpu'], {
    encoding: 'utf8',
  })
  const top = mount.stdout?.trim().split('\n')[0]
  if (own === undefined || !top) return { reason: 'no v1 hierarchy of the cpu controller is mounted here' }
  const folder = join(top, own, `arena-inspect-test-${process.pid}`)
  try {
    mkdirSync(folder)
    writeFileSync(join(folder, 'cpu.cfs_period_us'), '100000')
    writeFileSync(join(folder, 'cpu.cfs_quota_us'), '50000')
    return { folder }
  } catch (error) {
    return { reason: `no control group can be made here: ${String(error)}` }
  }
}

t.test('a real process under a real quota', async (t) => {
  const group = halfCpuGroup()
  if ('reason' in group) {
    t.pass('half a CPU', { skip: group.reason })
    return
  }
  const running = await start(compile(WAITS))
  try {
    t.not(readSurroundings(running.pid).quotaCpus, 0.5, 'before it is put into the group')
    writeFileSync(join(group.folder, 'cgroup.procs'), String(running.pid))
    t.equal(readSurroundings(running.pid).quotaCpus, 0.5)
  } finally {
    await running.kill()
    rmdirSync(group.folder)
  }
})
