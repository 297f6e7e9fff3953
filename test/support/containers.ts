// Containers for tests, as runtimes make them: a root folder with a glibc of its own, in namespaces of their own.

import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type Architecture, buildOf, compileFor, fetchedSuites, type Release } from '../matrix/glibcs.js'
import { endWithUs } from './end-with-us.js'
import { compile, ROOT, scratch } from './programs.js'
import { type Ending, endingOf } from './wait-until.js'

const LIBRARIES = 'usr/lib/x86_64-linux-gnu'
const LOADER = 'ld-linux-x86-64.so.2'
const ARCHITECTURE: Architecture = 'amd64'
const isRoot = process.getuid?.() === 0

/** A folder that becomes a container's root. */
export interface ContainerRoot {
  readonly folder: string
  /** Where libc is there, below `folder`. */
  readonly libc: string
  /** Where its debug files are kept, if not put into the root. */
  readonly debugFiles: string
}

/** A running program, by its number here. */
export interface Contained {
  readonly pid: number
  /** What it printed so far. */
  printed(): string
  readonly ending: Ending
  end(): Promise<void>
}

/** Why no namespaces can be made here; null when they can. */
export function noContainers(): string | null {
  if (process.arch !== 'x64') return 'the glibc builds of the matrix are for x86_64'
  const tried = spawnSync('unshare', [...flags('root'), 'true'], { encoding: 'utf8' })
  if (tried.error) return `unshare cannot be run: ${tried.error.message}`
  return tried.status === 0 ? null : `no namespaces here: ${tried.stderr.trim()}`
}

/** A root with the glibc of `release` and `source` compiled as `program` (path from the root); or why there is none. */
export async function containerRoot(
  release: Release,
  source: string,
  program: string,
): Promise<ContainerRoot | string> {
  const build = buildOf(await fetchedSuites(), release, ARCHITECTURE)
  if (typeof build === 'string') return build
  if (build.sysroot === null) return `glibc ${release} was not fetched`
  const folder = scratch()
  for (const name of ['proc', 'tmp', 'lib64', LIBRARIES, dirname(program)])
    mkdirSync(join(folder, name), { recursive: true })
  // Links are absolute, as Debian's are: followed from outside they lead to this machine's own files.
  symlinkSync('/usr/lib', join(folder, 'lib'))
  symlinkSync(`/lib/x86_64-linux-gnu/${LOADER}`, join(folder, 'lib64', LOADER))
  for (const name of readdirSync(build.libraries).filter((file) => /\.so/.test(file)))
    cpSync(join(build.libraries, name), join(folder, LIBRARIES, name), { verbatimSymlinks: true })
  const inside = { ...build, loader: `/lib64/${LOADER}`, libraries: '/lib/x86_64-linux-gnu' }
  copyFileSync(compileFor(inside, source), join(folder, program))
  for (const name of ['', 'tmp']) chmodSync(join(folder, name), 0o777)
  const libc = [`libc-${release}.so`, 'libc.so.6'].find((name) => existsSync(join(folder, LIBRARIES, name)))!
  return { folder, libc: join(folder, LIBRARIES, libc), debugFiles: build.debugFiles }
}

/** Puts the glibc's debug files into the root, as the container's own libc6-dbg would. */
export function installDebugFiles({ folder, debugFiles }: ContainerRoot): void {
  cpSync(join(debugFiles, '.build-id'), join(folder, 'usr/lib/debug/.build-id'), { recursive: true })
}

/** Folders of this machine that the container has as well, by their path there. */
export type Shared = Readonly<Record<string, string>>

/**
 * Runs a program in mount and PID namespaces of its own with `root` as its root, until it prints a line. As `nobody`
 * in a user namespace, too, which another user than root always needs.
 */
export async function startIn(
  root: ContainerRoot,
  command: readonly string[],
  { as = 'root', shared = {} }: { as?: 'root' | 'nobody'; shared?: Shared } = {},
): Promise<Contained> {
  const enter = compile('test/programs/enter-root.c', ['-static'])
  const script = Object.entries(shared).map(([there, here]) => {
    mkdirSync(join(root.folder, there), { recursive: true })
    return `mount --rbind '${here}' '${join(root.folder, there)}' && `
  })
  // Programs are in a folder of this user only: others get a copy.
  const helper = join(root.folder, basename(enter))
  copyFileSync(enter, helper)
  chmodSync(helper, 0o755)
  const child = spawn(
    'unshare',
    [...flags(as), 'sh', '-c', `${script.join('')}exec "$@"`, 'sh', helper, root.folder, ...command],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      ...(as === 'nobody' && isRoot ? { uid: 65534, gid: 65534 } : {}),
    },
  )
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  endWithUs(child)
  let printed = ''
  await new Promise<void>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text
      if (text.includes('\n')) resolve()
    })
    child.once('exit', (code, signal) => reject(new Error(`${command[0]} ended early: ${code ?? signal}`)))
  })
  const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
  return {
    pid: Number(children.trim().split(' ')[0]),
    printed: () => printed,
    ending: endingOf(child, () => printed),
    async end() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

function flags(as: 'root' | 'nobody'): string[] {
  const user = as === 'nobody' || !isRoot ? ['--user', '--map-root-user'] : []
  return [...user, '--mount', '--pid', '--fork', '--kill-child']
}

/** What the command needs to run in a container without node: this machine's node, libraries, and this checkout. */
export function toolShared(): Shared {
  return {
    '/opt/node': dirname(process.execPath),
    '/opt/libraries': '/usr/lib/x86_64-linux-gnu',
    '/opt/tool/dist': join(ROOT, 'dist'),
    '/opt/tool/gdb-scripts': join(ROOT, 'gdb-scripts'),
    '/opt/tool/node_modules': join(ROOT, 'node_modules'),
  }
}

/** Runs arena-inspect inside the namespaces of `pid`, which was started with toolShared(). */
export function arenaInspectInside(pid: number, root: ContainerRoot, args: readonly string[]) {
  if (!existsSync(join(root.folder, 'opt/tool/package.json')))
    copyFileSync(join(ROOT, 'package.json'), join(root.folder, 'opt/tool/package.json'))
  const namespaces = isRoot ? ['-m', '-p'] : ['-U', '--preserve-credentials', '-m', '-p']
  // The test runner puts a preload of its own into every child's NODE_OPTIONS.
  return spawnSync(
    '/usr/bin/env',
    [
      ...['-u', 'NODE_OPTIONS', 'nsenter'],
      ...['-t', String(pid), ...namespaces, `/opt/libraries/${LOADER}`, '--library-path', '/opt/libraries'],
      ...[join('/opt/node', basename(process.execPath)), '/opt/tool/dist/cli.js', ...args],
    ],
    { encoding: 'utf8', env: { PATH: '/usr/bin:/bin' }, timeout: 120_000 },
  )
}
