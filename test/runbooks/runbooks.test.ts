// The runbooks of examples/runbooks, run for real: processes, cores, manifests against Kubernetes' schemas.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import t from 'tap'
import { parse, parseAllDocuments } from 'yaml'
import type { Report } from '../../src/report/report.js'
import { compile, ROOT, scratch, start } from '../support/programs.js'
import { binFolder, RUNBOOKS, runbook } from '../support/runbook.js'
import { bloatCore } from '../support/small-core.js'

const folder = scratch()
const bin = binFolder(folder)
const run = (command: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  runbook(command, { folder, bin, env })
const script = (name: string) => join(RUNBOOKS, name)
const text = (path: string) => readFileSync(join(folder, path), 'utf8')
const json = (path: string) => JSON.parse(text(path)) as Report
const core = await bloatCore(folder)
const zstd = spawnSync('zstd', ['--version']).status === 0 ? false : 'zstd is not installed'

const scripts = readdirSync(RUNBOOKS, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.sh'),
)

t.test('every script', async (t) => {
  t.ok(scripts.length >= 12, 'they were found')
  for (const name of scripts) {
    t.equal(run(['sh', '-n', script(name)]).stderr, '', `${name} parses`)
    // What needs no argument would do its work.
    if (!/:\?/.test(readFileSync(script(name), 'utf8'))) continue
    t.match(run([script(name)]).stderr, /usage: |set COMM/, `${name} says how it is used`)
  }
  const missing = spawnSync('shellcheck', ['--version']).status === 0 ? false : 'shellcheck is not installed'
  await t.test('shellcheck', { skip: missing }, async (t) => {
    const checked = run(['shellcheck', ...scripts.map(script)])
    t.equal(checked.status, 0, checked.stdout)
  })
})

t.test('memory-incident: from page to fix', async (t) => {
  const there = join(folder, 'incident')
  const done = run([script('memory-incident/rehearse.sh'), there])
  t.equal(done.status, 0, done.stderr)
  const kib = [...done.stdout.matchAll(/VmRSS:\s+(\d+) kB/g)].map(([, number]) => Number(number))
  t.equal(kib.length, 3)
  const before = json('incident/before.json')
  t.ok(kib[1]! < kib[0]! - 50_000, `trim gave back: ${kib}`)
  t.match(done.stdout, /arenas hold/)
  const limit = Number(/^MALLOC_ARENA_MAX=(\d+)$/m.exec(done.stdout)![1])
  const after = json('incident/after.json')
  t.equal(before.heap!.arenas.length, 16)
  t.ok(after.heap!.arenas.length <= limit, `${after.heap!.arenas.length} arenas`)
  t.ok(kib[2]! < kib[0]!, 'the restarted one is smaller')
  t.notOk(after.findings.some(({ rule }) => rule === 'arena-bloat'))
  t.match(text('incident/before.md'), /arena-bloat/)
})

t.test('core-bucket: one core', async (t) => {
  const one = run([script('core-bucket/one-core.sh'), core, 'reports'])
  t.equal(one.status, 0, one.stderr)
  t.equal(json('reports/core.bloat.json').heap!.arenas.length, 12)
  t.match(text('reports/core.bloat.md'), /12 arenas hold/)
  writeFileSync(join(folder, 'core.bad'), 'no core')
  const bad = run([script('core-bucket/one-core.sh'), 'core.bad', 'reports'])
  t.equal(bad.status, 1)
  t.match(text('reports/core.bad.error'), /core\.bad/)
  t.same(readdirSync(join(folder, 'reports')).sort(), ['core.bad.error', 'core.bloat.json', 'core.bloat.md'])
})

t.test('core-bucket: a folder full', async (t) => {
  const cores = join(folder, 'cores')
  mkdirSync(cores)
  for (const name of ['core.1', 'core.2']) copyFileSync(core, join(cores, name))
  writeFileSync(join(cores, 'core.3'), 'no core')
  const done = run([script('core-bucket/triage.sh'), cores, 'triage', '2'])
  t.match(done.stdout + done.stderr, /core\.3/, 'the bad one is told')
  t.ok(readdirSync(join(folder, 'triage')).length >= 2, 'the others have reports')
})

t.test('systemd-coredump: compressed cores', { skip: zstd }, async (t) => {
  const stored = join(folder, 'stored')
  mkdirSync(stored)
  const name = 'core.bloat.0.0123456789abcdef0123456789abcdef.4711.1700000000000000.zst'
  t.equal(run(['zstd', '-q', '-1', core, '-o', join(stored, name)]).status, 0)
  writeFileSync(join(stored, 'core.cut.0.0123.5.6.zst'), readFileSync(join(stored, name)).subarray(0, 2000))
  const handler = script('systemd-coredump/new-cores.sh')
  const first = run([handler, 'stored', 'out'])
  t.equal(first.status, 0, first.stderr)
  t.match(first.stdout, /12 arenas hold/, 'the verdict goes to the journal')
  t.match(first.stderr, /^core\.cut\.0\.0123\.5\.6\.zst: /m)
  t.equal(json(`out/${name}.json`).heap!.arenas.length, 12)
  t.ok(existsSync(join(folder, `out/${name}.md`)))
  const second = run([handler, 'stored', 'out'])
  t.equal(second.stdout + second.stderr, '', 'nothing is done twice')

  // Stands in for systemd's: it only unpacks.
  const told = binFolder(join(folder, 'systemd'), {
    coredumpctl: `for a; do case $a in --output=*) out=\${a#--output=};; esac; done\nzstd -dcq '${join(stored, name)}' >"$out"`,
  })
  const temporary = join(folder, 'var-tmp')
  mkdirSync(temporary)
  const taken = runbook([script('systemd-coredump/from-coredumpctl.sh'), 'bloat', '--format', 'markdown'], {
    folder,
    bin: told,
    env: { TMPDIR: temporary },
  })
  t.match(taken.stdout, /12 arenas hold/, taken.stderr)
  t.same(readdirSync(temporary), [], 'the unpacked core is gone')

  const unit = readFileSync(script('systemd-coredump/arena-inspect-cores.service'), 'utf8')
  t.match(unit, /^\[Service\]\nType=oneshot\nExecStart=\/usr\/local\/bin\/arena-inspect-new-cores$/m)
})

t.test('ci: the steps of both jobs', async (t) => {
  const program = compile('examples/programs/arena-bloat.c')
  copyFileSync(program, join(folder, 'service'))
  mkdirSync(join(folder, 'examples'))
  run(['ln', '-s', RUNBOOKS, join(folder, 'examples/runbooks')])
  run(['ln', '-s', join(ROOT, 'examples/programs'), join(folder, 'examples/programs')])
  const github = parse(readFileSync(script('ci/github-actions.yml'), 'utf8')) as {
    jobs: { arenas: { steps: { name?: string; run?: string }[] } }
  }
  const steps = new Map(github.jobs.arenas.steps.map(({ name, run: line }) => [name, line]))
  // As a runner does: bash -e; GITHUB_STEP_SUMMARY is a file.
  const summary = join(folder, 'summary.md')
  const env = { GITHUB_STEP_SUMMARY: summary }
  const step = (name: string) => run(['bash', '-e', '-c', steps.get(name)!], env)
  t.equal(step('build').status, 0)
  const failed = step('no arena bloat')
  t.equal(failed.status, 3, failed.stderr)
  t.match(failed.stderr, /16 arenas hold/, 'the log says why')
  t.equal(step('show').status, 0)
  t.match(readFileSync(summary, 'utf8'), /arena-bloat/)

  const gitlab = parse(readFileSync(script('ci/gitlab-ci.yml'), 'utf8')) as {
    arenas: { script: string[]; artifacts: { paths: string[] } }
  }
  t.equal(run(['bash', '-e', '-c', gitlab.arenas.script.join('\n')]).status, 3)
  for (const path of gitlab.arenas.artifacts.paths) t.ok(existsSync(join(folder, path)), path)

  const check = script('ci/check-arenas.sh')
  const load = ['./service', '16', '8', '90', 'log:16:4096', 'out']
  const fine = run([check, 'fine', ...load], { MALLOC_ARENA_MAX: '1' })
  t.equal(fine.status, 0, `as the README says: ${fine.stderr}`)
  t.match(run([check, 'ended', 'false']).stderr, /ended before it printed a line/)
})

t.test('kubernetes: manifests against the schemas', async (t) => {
  const require = createRequire(import.meta.url)
  const scan = readFileSync(script('kubernetes/scan-node.sh'), 'utf8')
  for (const name of ['hostpid-job.yaml', 'hostpid-daemonset.yaml']) {
    const documents = parseAllDocuments(readFileSync(script(`kubernetes/${name}`), 'utf8'))
    for (const document of documents) {
      t.same(document.errors, [], `${name} is YAML`)
      const resource = document.toJS() as { apiVersion: string; kind: string; data?: Record<string, string> }
      const models = require(`kubernetes-models/${resource.apiVersion}/${resource.kind}`) as Record<
        string,
        new (
          data: unknown,
        ) => { validate(): void }
      >
      const Model = models[resource.kind]!
      t.doesNotThrow(() => new Model(resource).validate(), `${name}: ${resource.kind} is as the API wants it`)
      t.throws(() => new Model({ ...resource, metadata: 5 }).validate(), 'it would say so')
      if (resource.kind === 'ConfigMap')
        t.equal(resource.data!['scan-node.sh'], scan, 'the script as it is here')
    }
    t.equal(documents.length, 2)
  }

  const running = await start(
    compile('examples/programs/arena-bloat.c'),
    ['12', '8', '1', 'log:16:4096', 'out'],
    {
      cwd: folder,
    },
  )
  const COMM = readFileSync(`/proc/${running.pid}/comm`, 'utf8').trim()
  const scanned = run([script('kubernetes/scan-node.sh')], { COMM, NODE_NAME: 'node-1' })
  t.equal(scanned.status, 0, scanned.stderr)
  t.match(scanned.stdout, /12 arenas hold/)
  t.match(scanned.stderr, /^[1-9]\d* processes called .* on node-1$/m)

  // No cluster is here: what kubectl is asked for, and that the command it is given works.
  const asked = binFolder(join(folder, 'kubectl'), {
    kubectl: 'echo "$@" >&2; while [ "$1" != -- ]; do shift; done; shift; exec "$@"',
  })
  const debug = (...args: string[]) =>
    runbook([script('kubernetes/debug-pod.sh'), 'prod', 'memsqld-0', 'memsqld', ...args], {
      folder,
      bin: asked,
    })
  const report = debug('report', '--pid', String(running.pid), '--format', 'markdown')
  t.match(
    report.stderr,
    /^debug -i --quiet --namespace prod memsqld-0 --image \S+ --target memsqld --profile general -- arena-inspect report /,
  )
  t.match(report.stdout, /12 arenas hold/)
  await running.kill()
})

t.test('cron-diff: what grew', async (t) => {
  const running = await start(
    compile('examples/programs/arena-bloat.c'),
    ['4', '4', '50', 'log:16:4096', 'out'],
    {
      cwd: folder,
    },
  )
  const step = () => run([script('cron-diff/snapshot-and-diff.sh'), String(running.pid), 'snapshots'])
  t.equal(step().status, 0, 'the first has nothing to compare with')
  const second = step()
  t.equal(second.status, 0, second.stderr)
  await running.kill()
  const larger = await start(
    compile('examples/programs/arena-bloat.c'),
    ['4', '8', '50', 'log:16:4096', 'out'],
    {
      cwd: folder,
    },
  )
  const third = run([script('cron-diff/snapshot-and-diff.sh'), String(larger.pid), 'snapshots'])
  await larger.kill()
  t.equal(third.status, 3, third.stderr)
  t.equal(readdirSync(join(folder, 'snapshots')).length, 3)
  t.match(run([script('cron-diff/snapshot-and-diff.sh'), 'no-such-name', 'snapshots']).stderr, /no process/)
})
