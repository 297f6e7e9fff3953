// All cases on one glibc build: live and core, with and without symbols, against the process's own figures.
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { binOfSize } from '../../src/malloc/chunks/bin-index.js'
import { walkBins } from '../../src/malloc/chunks/bins.js'
import type { HeapModel } from '../../src/malloc/heap-model.js'
import { minorVersion } from '../../src/malloc/layout.js'
import type { MallocState } from '../../src/malloc/read-heap-model.js'
import { hex } from '../../src/memory/address.js'
import { PageCache } from '../../src/memory/page-cache.js'
import { openSession, type SessionOptions, type TargetSession } from '../../src/session/open-session.js'
import type { TargetChoice } from '../../src/target/open.js'
import { differencesFrom } from '../support/glibc-truth.js'
import { kernelCores, type Running, scratch, start } from '../support/programs.js'
import { CASES, type MatrixCase } from './cases.js'
import {
  type Architecture,
  buildOf,
  compileFor,
  debugFileOf,
  fetchedSuites,
  type GlibcBuild,
  gdbFor,
  type Release,
  symbolOffsets,
} from './glibcs.js'
import { differencesFromOwnCount } from './own-count.js'
import { type Check, checkPage, type Row } from './page.js'

const PROGRAM = 'test/programs/heap-shapes.c'
// Fetching comes first on a machine that has nothing yet.
const TIMEOUT_MS = 600_000

/** Runs every case on one build; call it once in a test file. */
export async function checkGlibc(release: Release, architecture: Architecture): Promise<void> {
  t.setTimeout(TIMEOUT_MS)
  const name = `glibc ${release} ${architecture}`
  const build = buildOf(await fetchedSuites(), release, architecture)
  if (typeof build === 'string') {
    t.pass(name, { skip: build })
    return
  }
  const setting = { build, gdbPath: gdbFor(build), symbols: symbolOffsets(debugFileOf(build)) }
  const rows: Row[] = []
  for (const matrixCase of CASES) {
    await t.test(matrixCase.name, async (t) => rows.push(await runCase(t, matrixCase, setting)))
  }
  checkPage(t, release, architecture, rows)
}

interface Setting {
  readonly build: GlibcBuild
  readonly gdbPath: string
  readonly symbols: ReturnType<typeof symbolOffsets>
}

async function runCase(t: Test, matrixCase: MatrixCase, setting: Setting): Promise<Row> {
  const { build } = setting
  const results = new Map<Check, boolean>()
  const row = { name: matrixCase.name, results, impossible: null }
  const impossible = matrixCase.impossible?.(build.release, build.architecture)
  if (impossible) {
    t.pass(matrixCase.name, { skip: impossible })
    return { ...row, impossible }
  }
  const folder = scratch()
  const running = await startOn(build, matrixCase, folder)
  const pid = Number(running.line)
  const isAsNamed = (model: HeapModel) => matrixCase.as(model, build.release)
  const minor = minorVersion(build.release)!
  // From 2.43 on a thread gets its tcache with the first chunk that it frees into it, before with its first block.
  const withoutCaches = matrixCase.env?.GLIBC_TUNABLES?.includes('tcache_count=0')
  const structs = minor < 43 ? 'allocating' : withoutCaches ? 'none' : 'freeing'
  const seen = {
    isAsNamed,
    minor,
    structs,
    out: join(folder, 'out'),
    expected: expectedAddresses(pid, setting),
  } as const
  const live = await look(t, 'live', { kind: 'live', pid }, { useGdb: false }, seen)
  results.set('live', live.ok)
  if (!kernelCores()) {
    t.pass('core', { skip: 'core_pattern sends cores elsewhere on this machine' })
    await running.kill()
    return row
  }
  const path = await coreOf(running, pid, folder)
  const bare = await look(t, 'core', { kind: 'core', path }, { useGdb: false }, seen)
  results.set('core', bare.ok && t.same(bare.places, live.places, 'core: the same arenas and heaps as live'))
  const { gdbPath } = setting
  const known = await look(t, 'core with symbols', { kind: 'core', path }, { gdbPath }, seen)
  results.set('core with symbols', known.ok)
  results.set('count', live.counted && bare.counted && known.counted)
  const same = t.same(known.places, bare.places, 'the same arenas and heaps with symbols and without')
  results.set('addresses', same && t.ok(known.atSymbols && bare.atSymbols && live.atSymbols))
  return row
}

function startOn(build: GlibcBuild, { shape, env, byLoader }: MatrixCase, folder: string): Promise<Running> {
  const program = compileFor(build, PROGRAM)
  const args = [shape, join(folder, 'out')]
  const options = { cwd: folder, env: { ...env } }
  if (!byLoader) return start(program, args, options)
  return start(build.loader, ['--library-path', build.libraries, program, ...args], options)
}

// The standing process is a child of what was started in the case `fork`.
export async function coreOf(running: Running, pid: number, folder: string): Promise<string> {
  const before = new Set(readdirSync(folder))
  const ended = once(running.child, 'exit')
  process.kill(pid, 'SIGABRT')
  await ended
  const core = readdirSync(folder).find((file) => file.startsWith('core') && !before.has(file))
  if (!core) throw new Error(`the kernel left no core of pid ${pid}`)
  return join(folder, core)
}

interface Seen {
  readonly isAsNamed: (model: HeapModel) => boolean
  /** Of glibc 2.x. */
  readonly minor: number
  /** Threads that have a tcache struct, by the program's count. */
  readonly structs: 'allocating' | 'freeing' | 'none'
  /** Where the process wrote malloc_info and malloc_stats and its own count, without .xml, .txt and .json. */
  readonly out: string
  readonly expected: Expected
}

interface Expected {
  readonly mainArena: string
  readonly mallocPar: string
}

// Where the process's maps and the debug file's symbol table put them.
function expectedAddresses(pid: number, { symbols }: Setting): Expected {
  const maps = readFileSync(`/proc/${pid}/maps`, 'utf8')
  const base = BigInt(`0x${/^([0-9a-f]+)-\S+ \S+ 00000000 .*\/libc[.-].*so.*$/m.exec(maps)![1]}`)
  return { mainArena: hex(base + symbols.mainArena), mallocPar: hex(base + symbols.mallocPar) }
}

/** One report: its figures, its addresses and its layout are as they must be. */
async function look(
  t: Test,
  name: string,
  choice: TargetChoice,
  options: SessionOptions,
  { out, expected, isAsNamed, minor, structs }: Seen,
): Promise<{ ok: boolean; counted: boolean; atSymbols: boolean; places: unknown }> {
  const session = await openSession(choice, options)
  try {
    const { report, measurement } = session
    const model = measurement.malloc?.model
    if (!model || !report.heap) {
      t.fail(`${name}: malloc was found`, { problems: report.problems })
      return { ok: false, counted: false, atSymbols: false, places: null }
    }
    const { glibc } = model
    const found = {
      mainArena: hex(glibc.mainArena),
      mallocPar: glibc.mallocPar === null ? null : hex(glibc.mallocPar),
    }
    const { layoutFrom } = glibc
    const bytes = model.mmapped.found.reduce((sum, chunk) => sum + chunk.bytes, 0)
    const atSymbols = t.same(found, expected, `${name}: main_arena and mp_ are where the symbols are`)
    const uncounted = differencesFromOwnCount(
      session.target,
      measurement.malloc!,
      `${out}.json`,
      minor,
      structs,
    )
    const counted = t.same(uncounted, [], `${name}: the program's own count of its blocks`)
    const checks = [
      t.same(differencesFrom(model, `${out}.xml`, `${out}.txt`), [], `${name}: glibc's own figures`),
      t.same(differencesFrom(report.heap, `${out}.xml`, `${out}.txt`), [], `${name}: the report's too`),
      t.equal(
        layoutFrom,
        options.useGdb === false ? 'table' : 'debug-info',
        `${name}: where the layout is from`,
      ),
      t.equal(bytes, model.mmapped.bytes, `${name}: every mmapped chunk was found`),
      t.ok(isAsNamed(model), `${name}: the process is in the shape it is named after`),
      t.same(unbalanced(model), [], `${name}: the parts of what is in use make up all of it`),
      t.same(
        misnamedBins(session, measurement.malloc!),
        [],
        `${name}: chunks are in the bins that their sizes name`,
      ),
      t.same(model.anomalies, [], `${name}: no anomalies`),
      t.ok(report.complete, `${name}: complete`, { problems: report.problems }),
    ]
    return { ok: checks.every(Boolean), counted, atSymbols, places: placesOf(model) }
  } finally {
    await session.close()
  }
}

// Bins in which lies a chunk that `binOfSize` would look for elsewhere.
function misnamedBins({ target }: TargetSession, { model, layout }: MallocState): readonly unknown[] {
  return model.arenas.flatMap((arena) =>
    walkBins(new PageCache(target.memory), arena.address, layout, arena.systemBytes ?? 0)
      .bins.filter(({ kind }) => kind !== 'unsorted')
      .flatMap(({ kind, index, smallestBytes, largestBytes }) =>
        [smallestBytes, largestBytes].map((size) => ({
          size,
          in: { kind, index },
          by: binOfSize(size, layout),
        })),
      )
      .filter(({ in: is, by }) => is.kind !== by.kind || is.index !== by.index),
  )
}

// Arenas whose live, cached and overhead bytes, where they are known, are not their bytes in use.
function unbalanced({ arenas }: HeapModel): readonly number[] {
  return arenas
    .filter(({ inUseBytes, liveBytes, tcacheBytes, overheadBytes }) =>
      liveBytes === null || tcacheBytes === null || overheadBytes === null
        ? false
        : liveBytes + tcacheBytes + overheadBytes !== inUseBytes,
    )
    .map(({ index }) => index)
}

function placesOf(model: HeapModel): unknown {
  return model.arenas.map((arena) => ({
    arena: hex(arena.address),
    heaps: arena.heaps.map((heap) => [hex(heap.address), heap.sizeBytes]),
  }))
}
