// A root folder with next to nothing in it, made of files of Debian packages, and programs run with it as their root.
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { packageFiles } from './debian-packages.js'
import { scratch } from './programs.js'
import { runAsUser } from './user-run.js'

/** What an official build of Node is linked to, by the package that has it: the dynamic linker and six libraries. */
const LIBRARIES = {
  libc6: ['ld-linux-x86-64.so.2', 'libc.so.6', 'libdl.so.2', 'libm.so.6', 'libpthread.so.0'],
  'libstdc++6': ['libstdc++.so.6'],
  'libgcc-s1': ['libgcc_s.so.1'],
}
const LIBRARY_FOLDER = 'lib/x86_64-linux-gnu'

export interface BareRoot {
  readonly folder: string
}

/** With the libraries that Node needs, and nothing else, not even a shell; or why there is none. */
export function bareRoot(): BareRoot | { readonly reason: string } {
  if (process.arch !== 'x64') return { reason: 'the packages are those of amd64' }
  const tried = spawnSync('unshare', [...flags(), 'true'], { encoding: 'utf8' })
  if (tried.status !== 0)
    return { reason: `no namespaces here: ${tried.error?.message ?? tried.stderr.trim()}` }
  const folder = scratch()
  for (const name of ['dev', 'lib64', 'proc', 'tmp', LIBRARY_FOLDER])
    mkdirSync(join(folder, name), { recursive: true })
  for (const [name, libraries] of Object.entries(LIBRARIES)) {
    const files = packageFiles(name)
    if ('reason' in files) return files
    for (const library of libraries) {
      const from = [LIBRARY_FOLDER, `usr/${LIBRARY_FOLDER}`].map((path) => join(files.root, path, library))
      copyFirst(from, join(folder, LIBRARY_FOLDER, library))
    }
  }
  symlinkSync(`../${LIBRARY_FOLDER}/ld-linux-x86-64.so.2`, join(folder, 'lib64/ld-linux-x86-64.so.2'))
  return { folder }
}

/** Adds `sh`, `env` and the like, by busybox. Null, or why not. */
export function addShell({ folder }: BareRoot): string | null {
  const files = packageFiles('busybox-static')
  if ('reason' in files) return files.reason
  mkdirSync(join(folder, 'usr/bin'), { recursive: true })
  copyFirst(
    ['bin/busybox', 'usr/bin/busybox'].map((path) => join(files.root, path)),
    join(folder, 'usr/bin/busybox'),
  )
  for (const name of ['sh', 'env', 'cat', 'ls']) symlinkSync('busybox', join(folder, 'usr/bin', name))
  symlinkSync('usr/bin', join(folder, 'bin'))
  return null
}

/** Files and folders of this machine that are there as well, by their path there. */
export type SharedFiles = Readonly<Record<string, string>>

/** The command line that runs `command` in it: with /proc and /dev, in namespaces of its own. */
export function commandIn(
  { folder }: BareRoot,
  command: readonly string[],
  shared: SharedFiles = {},
): string[] {
  const mounts = Object.entries({ ...shared, '/dev': '/dev' }).map(([there, here]) => {
    const at = join(folder, there)
    if (there !== '/dev') makePlace(at, here)
    return `mount --rbind '${here}' '${at}' && `
  })
  const script = `${mounts.join('')}mount -t proc proc '${join(folder, 'proc')}' && exec chroot '${folder}' "$@"`
  return ['unshare', ...flags(), 'sh', '-c', script, 'sh', ...command]
}

/** Runs `command` in it to its end, with an environment of nearly nothing. */
export function runIn(
  root: BareRoot,
  command: readonly string[],
  shared: SharedFiles = {},
): SpawnSyncReturns<string> {
  return runAsUser(commandIn(root, command, shared), {
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/tmp', TMPDIR: '/tmp' },
  })
}

function makePlace(at: string, here: string): void {
  mkdirSync(dirname(at), { recursive: true })
  if (spawnSync('test', ['-d', here]).status === 0) mkdirSync(at, { recursive: true })
  else writeFileSync(at, '', { flag: 'a' })
}

function copyFirst(candidates: readonly string[], to: string): void {
  for (const path of candidates) {
    try {
      copyFileSync(path, to)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  throw new Error(`the package has no ${basename(to)}`)
}

function flags(): string[] {
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']
  return [...user, '--mount', '--pid', '--fork', '--kill-child']
}
