// The glibc builds of the matrix: where they are, and test programs that run on each of them.
import { execFile, execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { compile, ROOT, scratch } from '../support/programs.js'

export const RELEASES = ['2.31', '2.36', '2.41', '2.43', '2.44'] as const
export const ARCHITECTURES = ['amd64', 'i386'] as const
export type Release = (typeof RELEASES)[number]
export type Architecture = (typeof ARCHITECTURES)[number]

/** One unpacked glibc with its debug files. */
export interface GlibcBuild {
  readonly release: Release
  readonly architecture: Architecture
  /** The folder of libc.so.6. */
  readonly libraries: string
  readonly loader: string
  /** What gdb calls debug-file-directory. */
  readonly debugFiles: string
  /** Headers and start files of the oldest release; null: this machine's own are used, and its own glibc is meant. */
  readonly sysroot: string | null
}

/** What fetch-glibcs.mjs prints of a suite. */
export interface FetchedSuite {
  readonly suite: string
  readonly release: Release
  readonly version?: string
  readonly roots?: Readonly<Record<Architecture, string>>
  /** Why it is not there, and how far it came; `index` is the first step and the only one without the mirror. */
  readonly failed?: string
  readonly stage?: string
}

const TRIPLETS = { amd64: 'x86_64-linux-gnu', i386: 'i386-linux-gnu' } as const
const LOADERS = { amd64: 'ld-linux-x86-64.so.2', i386: 'ld-linux.so.2' } as const
const COMPILER_FILES = {
  amd64: 'usr/lib/gcc/x86_64-linux-gnu/10',
  i386: 'usr/lib/gcc/i686-linux-gnu/10',
} as const
const FETCH = join(ROOT, 'test/matrix/fetch-glibcs.mjs')

/** All suites, fetched where they are not there yet. */
export async function fetchedSuites(): Promise<readonly FetchedSuite[]> {
  // The test runner puts a preload of its own into every child's NODE_OPTIONS.
  const { NODE_OPTIONS: _, ...env } = process.env
  const { stdout } = await promisify(execFile)(process.execPath, [FETCH], { env })
  return (JSON.parse(stdout) as { suites: readonly FetchedSuite[] }).suites
}

/** One build, or why it cannot be had. This machine's own glibc stands in for the same release that was not fetched. */
export function buildOf(
  suites: readonly FetchedSuite[],
  release: Release,
  architecture: Architecture,
): GlibcBuild | string {
  const suite = suites.find((candidate) => candidate.release === release)
  const sysroot = suites.find((candidate) => candidate.release === RELEASES[0])?.roots?.[architecture]
  const root = suite?.roots?.[architecture]
  if (root && sysroot) return unpacked(root, sysroot, release, architecture)
  if (architecture === 'amd64' && ownRelease() === release) return own(release)
  if (root) return `no ${RELEASES[0]} to link programs against`
  return `${suite?.suite} was not fetched: ${suite?.failed}`
}

function unpacked(
  root: string,
  sysroot: string,
  release: Release,
  architecture: Architecture,
): GlibcBuild | string {
  const folders = [`lib/${TRIPLETS[architecture]}`, `usr/lib/${TRIPLETS[architecture]}`]
  const libraries = folders.map((folder) => join(root, folder)).find((f) => existsSync(join(f, 'libc.so.6')))
  if (!libraries) return `${release} ${architecture} has no libc.so.6 where it was expected`
  const loader = join(libraries, LOADERS[architecture])
  return { release, architecture, libraries, loader, debugFiles: join(root, 'usr/lib/debug'), sysroot }
}

function ownRelease(): string | undefined {
  return execFileSync('getconf', ['GNU_LIBC_VERSION'], { encoding: 'utf8' }).trim().split(' ')[1]
}

function own(release: Release): GlibcBuild {
  const libraries = `/lib/${TRIPLETS.amd64}`
  const loader = join('/lib64', LOADERS.amd64)
  return { release, architecture: 'amd64', libraries, loader, debugFiles: '/usr/lib/debug', sysroot: null }
}

/**
 * Path of a program that runs on `build` by itself; memoised. `static`: with the glibc that programs are linked
 * against inside it, the oldest one.
 */
export function compileFor(
  build: GlibcBuild,
  source: string,
  linkage: 'dynamic' | 'static' = 'dynamic',
): string {
  const { sysroot, architecture, libraries, loader } = build
  const isStatic = linkage === 'static'
  // A static program has glibc's own malloc only; others count their blocks in front of it (heap-shapes.c).
  const start = isStatic
    ? ['-xnone', '-static']
    : ['-xnone', '-DCOUNT', `-Wl,--dynamic-linker=${loader},-rpath=${libraries}`]
  if (sysroot === null) return compile(source, start)
  const triplet = TRIPLETS[architecture]
  const [runtime, development, compiler] = [
    `lib/${triplet}`,
    `usr/lib/${triplet}`,
    COMPILER_FILES[architecture],
  ].map((folder) => join(sysroot, folder))
  return compile(source, [
    ...start,
    ...(architecture === 'i386' ? ['-m32', '-march=i686'] : []),
    '-static-libgcc',
    `--sysroot=${sysroot}`,
    '-isystem',
    join(sysroot, 'usr/include', triplet),
    `-B${development}/`,
    `-B${compiler}/`,
    ...[runtime, development, compiler].map((folder) => `-L${folder}`),
    // libpthread.so is a linker script with paths of its own before 2.34.
    ...(isStatic ? [] : [join(runtime!, 'libpthread.so.0')]),
  ])
}

/** Path of a gdb that finds the build's debug files. */
export function gdbFor(build: GlibcBuild): string {
  const wrapper = join(scratch(), 'gdb')
  const setting = `set debug-file-directory ${build.debugFiles}`
  writeFileSync(wrapper, `#!/bin/sh\nexec gdb -iex '${setting}' "$@"\n`, { mode: 0o755 })
  return wrapper
}

/** Where main_arena and mp_ are in an ELF file, by its own symbol table. */
export function symbolOffsets(file: string): { readonly mainArena: bigint; readonly mallocPar: bigint } {
  const symbols = textOf('nm', file)
  const at = (name: string): bigint =>
    BigInt(`0x${new RegExp(`^([0-9a-f]+) . ${name}$`, 'm').exec(symbols)![1]}`)
  return { mainArena: at('main_arena'), mallocPar: at('mp_') }
}

/** The debug file of the build's libc.so.6, by build-id. */
export function debugFileOf(build: GlibcBuild): string {
  const notes = textOf('readelf', '-n', join(build.libraries, 'libc.so.6'))
  const buildId = /Build ID: ([0-9a-f]+)/.exec(notes)![1]!
  return join(build.debugFiles, '.build-id', buildId.slice(0, 2), `${buildId.slice(2)}.debug`)
}

function textOf(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26 })
}
