// The npm package: what is in it, installed with production dependencies only, here and in a root with only Node.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import type { Report } from '../../src/report/report.js'
import { addShell, bareRoot, runIn } from '../support/bare-root.js'
import { NPM_CACHE, npm, npmFolder, pack, unreachable } from '../support/packed.js'
import { ROOT, scratch } from '../support/programs.js'
import { bloatCore } from '../support/small-core.js'
import { runAsUser } from '../support/user-run.js'

const folder = scratch()
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  version: string
  dependencies: Record<string, string>
}
const packed = pack(folder)
const core = await bloatCore(folder)
const prefix = join(folder, 'prefix')
const installed = join(prefix, 'lib/node_modules/arena-inspect')

const command = (...args: string[]) => runAsUser([join(prefix, 'bin/arena-inspect'), ...args])

t.test('what is in the package', async (t) => {
  const paths = packed.files.map(({ path }) => path)
  const folders = new Set(paths.map((path) => (path.includes('/') ? path.split('/')[0] : path)))
  t.same(
    [...folders].sort(),
    ['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'docs', 'examples', 'gdb-scripts', 'package.json'],
    'no sources, tests or settings',
  )
  t.same(
    paths.filter((path) => /\.tsx?$/.test(path) && !/^dist\/types\/.*\.d\.ts$|^examples\//.test(path)),
    [],
  )
  t.same(
    paths.filter((path) => /__pycache__|\.pyc$|\.tgz$|(^|\/)core(\.\d+)?$|-linux-/.test(path)),
    [],
    'no leavings and no binaries',
  )
  const bytes = packed.files.reduce((sum, { size }) => sum + size, 0)
  t.ok(bytes < 6e6, `${bytes} bytes unpacked`)
})

t.test('the packages that the built files load are its dependencies, and no others are', async (t) => {
  const dist = join(ROOT, 'dist')
  const text = readdirSync(dist)
    .filter((name) => name.endsWith('.js'))
    .map((name) => readFileSync(join(dist, name), 'utf8'))
    .join('\n')
  const loaded = new Set<string>()
  for (const [, name] of text.matchAll(/^(?:import|export)\b[^;'"]*["']([^."'][^"']*)["'];?$/gm))
    loaded.add(name!)
  for (const [, name] of text.matchAll(/\bimport\(["']([^."'][^"']*)["']\)/g)) loaded.add(name!)
  const packages = [...loaded]
    .filter((name) => !name.startsWith('node:') && !builtinModules.includes(name))
    .map((name) =>
      name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/'),
    )
  t.same(
    packages.filter((name) => !(name in manifest.dependencies)),
    [],
    'none is missing where only they are installed',
  )
  t.same(
    Object.keys(manifest.dependencies).filter((name) => !packages.includes(name)),
    [],
    'none is installed in vain',
  )
  const licenses = readFileSync(join(dist, 'LICENSES'), 'utf8')
  for (const name of ['ink', 'react', 'react-reconciler', 'string-width'])
    t.match(
      licenses,
      new RegExp(`^${name} \\d[\\d.]* \\(MIT\\)\n\n(The )?MIT License`, 'm'),
      'inside, with its terms',
    )
})

t.test('installed globally, production dependencies only', async (t) => {
  const args = ['i', '-g', '--prefix', prefix, '--omit=dev', '--no-audit', '--no-fund', '--prefer-offline']
  const { status, stderr } = npm([...args, '--cache', NPM_CACHE, packed.file], folder)
  const reason = status === 0 ? null : unreachable(stderr)
  if (reason) {
    t.pass('installed', { skip: reason })
    return
  }
  t.equal(status, 0, stderr)
  t.equal(command('--version').stdout, `${manifest.version}\n`)
  for (const { path } of packed.files) {
    if (!existsSync(join(installed, path))) t.fail(`${path} was not installed`)
  }
  // Each built file with all that it imports, at once or late.
  const files = readdirSync(join(installed, 'dist')).filter(
    (name) => name.endsWith('.js') && name !== 'cli.js',
  )
  const script = files
    .map((name) => `await import(${JSON.stringify(pathToFileURL(join(installed, 'dist', name)))})`)
    .join('\n')
  const imported = runAsUser([process.execPath, '--input-type=module', '-e', script])
  t.equal(imported.status, 0, imported.stderr)

  const report = command('report', core)
  t.equal(report.status, 0, report.stderr)
  t.match(report.stdout, /12 arenas hold/)
  const x = command('x', core, 'main_arena', '--count', '2')
  t.match(x.stdout, /<main_arena>/, `gdb's names, by the installed script ${x.stderr}`)
  const json = JSON.parse(command('report', core, '--json').stdout) as { schema: string }
  t.equal(json.schema, 'arena-inspect/1')
  t.match(command('report', core, '--format', 'markdown').stdout, /12 arenas hold/)

  const library = `import { openSession } from 'arena-inspect'
    const session = await openSession({ kind: 'core', path: ${JSON.stringify(core)} })
    console.log(session.report.heap.arenas.length)
    await session.close()`
  const asLibrary = runAsUser([process.execPath, '--input-type=module', '-e', library], { cwd: installed })
  t.equal(asLibrary.stdout, '12\n', asLibrary.stderr)
})

t.test('in a root with only Node', async (t) => {
  const root = bareRoot()
  const why = 'reason' in root ? root.reason : addShell(root)
  const npmThere = npmFolder()
  const skip: string | null =
    why ??
    (npmThere === null ? 'this npm is not beside its node' : null) ??
    (existsSync(installed) ? null : 'the packages could not be fetched')
  if (skip !== null || 'reason' in root) {
    t.pass('installed there', { skip: skip ?? true })
    return
  }
  const shared = {
    '/usr/bin/node': process.execPath,
    '/usr/lib/node_modules/npm': npmThere!,
    '/cache': NPM_CACHE,
    '/packed': dirname(packed.file),
  }
  const inside = (...args: string[]) => runIn(root, args, shared)
  t.not(inside('sh', '-c', 'type gdb').status, 0, 'there is no gdb')
  const npmCli = ['/usr/bin/node', '/usr/lib/node_modules/npm/bin/npm-cli.js']
  const args = ['i', '-g', '--prefix', '/usr', '--omit=dev', '--no-audit', '--no-fund', '--offline']
  const install = inside(...npmCli, ...args, '--cache', '/cache', packed.file.replace(folder, '/packed'))
  t.equal(install.status, 0, install.stderr)
  t.equal(inside('arena-inspect', '--version').stdout, `${manifest.version}\n`)
  const report = inside('arena-inspect', 'report', core.replace(folder, '/packed'))
  t.equal(report.status, 0, report.stderr)
  t.match(report.stdout, /12 arenas hold/)
  t.match(report.stderr, /gdb not found/)
  // The libc of the core is not there: what takes its version is unknown there, the arenas are what they are.
  const arenas = (stdout: string) =>
    (JSON.parse(stdout) as Report).heap!.arenas.map(({ address, systemBytes, inUseBytes, freeBytes }) => [
      ...[address, systemBytes, inUseBytes, freeBytes],
    ])
  const there = inside('arena-inspect', 'report', core.replace(folder, '/packed'), '--json')
  t.same(arenas(there.stdout), arenas(command('report', core, '--json').stdout), 'as here')
})
