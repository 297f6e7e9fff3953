// A snapshot answers as its target does: every format of the report to the byte, chunks, stacks, places, memory.
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { address, offset } from '../../src/memory/address.js'
import type { InspectedSession } from '../../src/session/inspected-session.js'
import type { ChunkFilter } from '../../src/session/session.js'
import { openAny } from '../../src/snapshot/open-any.js'
import { renderJson } from '../../src/views/json/render-json.js'
import { arenaInspect, startArenaInspect } from '../support/command.js'
import { compile, gcore, kernelCore, kernelCores, scratch, start } from '../support/programs.js'
import { openCoreSession, writeSnapshot } from '../support/snapshots.js'
import { waitUntil } from '../support/wait-until.js'

/** All that `report --format` knows. */
const FORMATS = ['text', 'json', 'markdown', 'html'] as const

const folder = scratch()
const program = compile('examples/programs/arena-bloat.c')
const running = await start(program, ['6', '4', '3', 'log:16:4096', join(folder, 'out')], { cwd: folder })
const { pid } = running
t.teardown(() => running.kill())

/** Columns of all batches together: addresses, sizes, states, arenas. */
function rowsOf(session: InspectedSession, filter: ChunkFilter = {}): string[] {
  const rows: string[] = []
  for (const { count, addresses, sizes, states, arenas } of session.chunkBatches(filter))
    for (let row = 0; row < count; row++)
      rows.push(`${addresses[row]} ${sizes[row]} ${states[row]} ${arenas[row]}`)
  return rows
}

/** Addresses at which something could differ: around heaps, chunks, regions, and in holes. */
function probes(session: InspectedSession): bigint[] {
  const places = session.report.heap!.arenas.flatMap((arena) => [arena, ...arena.heaps])
  const heaps = places.map((place) => BigInt(place.address))
  const pieces = session.pieces.flatMap(({ start, end }) => [start - 1n, start, end - 1n, end])
  return [
    ...heaps.flatMap((at) => [at, at + 0x30n, at + 0x900n, at + 0x12345n, at + 0x200000n]),
    ...pieces,
    0n,
    8n,
  ]
}

function sameAnswers(t: Test, snapshot: InspectedSession, core: InspectedSession): void {
  t.same(snapshot.report, core.report)
  t.same(snapshot.pieces, core.pieces)
  t.equal(
    new Set(snapshot.pieces.map(({ region }) => region)).size,
    new Set(core.pieces.map(({ region }) => region)).size,
  )
  t.same(snapshot.heaps(), core.heaps())
  t.equal(snapshot.wordBytes, core.wordBytes)
  const answers = (session: InspectedSession) =>
    probes(core).map((value) => {
      const at = address(value)
      const marks = [1, 64, 70_000].map((length) => session.chunksIn(at, offset(at, length)))
      const { lines, regionStart } = session.describe(at)
      // A snapshot tells a chunk's state by its header only, no links, which lie in memory, and mmapped chunks as a category.
      const told = lines
        .filter((line) => !line.startsWith('mmapped chunk '))
        .map((line) => line.replace(/^(chunk .*? bytes), .*$/, '$1'))
      return [at, told, regionStart, session.nextMapped(at, 1), session.nextMapped(at, -1), marks]
    })
  t.same(answers(snapshot), answers(core))
}

t.test('of a core', async (t) => {
  const core = gcore(pid, join(folder, 'core.1'))
  const file = join(folder, 'incident.arenas.gz')
  const made = await arenaInspect(['snapshot', core, '-o', file])
  t.equal(made.code, 0, made.stderr)
  t.match(made.stderr, /wrote .*incident\.arenas\.gz, [\d.]+ KiB; open it with/)
  t.equal(made.stdout, '')
  t.ok(statSync(file).size < 200_000, `${statSync(file).size} bytes`)
  t.equal(statSync(file).mode & 0o077, 0, 'like a core, for its owner only')

  await t.test('every format of the report, byte for byte', async (t) => {
    for (const format of FORMATS) {
      const [ofCore, ofSnapshot] = await Promise.all(
        [core, file].map((path) => arenaInspect(['report', path, '--format', format])),
      )
      t.equal(ofSnapshot!.code, 0, ofSnapshot!.stderr)
      t.ok(ofSnapshot!.stdout === ofCore!.stdout, format)
      t.equal(ofSnapshot!.stderr, ofCore!.stderr)
    }
  })

  const target = await openCoreSession(core)
  t.teardown(() => target.close())
  const snapshot = await openAny({ kind: 'snapshot', path: file })
  t.teardown(() => snapshot.close())

  t.test('places, heaps and chunks', async (t) => {
    sameAnswers(t, snapshot, target)
    t.same(rowsOf(snapshot), rowsOf(target))
    t.same(rowsOf(snapshot, { arena: 3, minBytes: 128 }), rowsOf(target, { arena: 3, minBytes: 128 }))
    const states = new Set(['binned', 'tcache'] as const)
    t.same(rowsOf(snapshot, { states, maxBytes: 512 }), rowsOf(target, { states, maxBytes: 512 }))
    t.same(rowsOf(snapshot, { arena: 99 }), [])
  })

  t.test('stacks and names', async (t) => {
    const stacks = await snapshot.stacks(4)
    t.equal(stacks.size, 7)
    t.same(stacks, await target.stacks(4))
    const [at] = (await target.addressesOf(['main_arena'])).values()
    t.same(await snapshot.addressesOf(['main_arena']), new Map([['main_arena', at]]))
    t.same(await snapshot.symbolsOf([at!, at! + 96n, 1n]), ['main_arena', 'main_arena+96', null])
  })

  t.test('memory is not in it', async (t) => {
    const { known, fault } = snapshot.read(address(BigInt(target.report.heap!.arenas[1]!.address)), 64)
    t.notOk(known.includes(1))
    t.equal(fault, 'the snapshot holds no memory (made without --include-memory)')
    const bytes = readFileSync(file)
    t.notOk(bytes.includes('arena-bloat.c'))
    const x = await arenaInspect(['x', file, 'main_arena'])
    t.equal(x.code, 1)
    t.match(
      x.stderr,
      /^arena-inspect: the snapshot holds no memory \(made without --include-memory\); run this[^\n]*\n$/,
    )
    const bins = await arenaInspect(['bins', file])
    t.equal(bins.code, 1)
    t.match(bins.stderr, /^arena-inspect: free lists are followed in memory, which a snapshot [^\n]*\n$/)
  })

  t.test('other commands', async (t) => {
    for (const args of [
      ['arenas', '--json'],
      ['heaps', '--json'],
      ['threads', '--json'],
      ['maps', '--by', 'path', '--json'],
      ['chunks', '--sort', 'size', '--limit', '7'],
      ['x', 'arena:2', '--as', 'chunks', '--count', '400'],
    ]) {
      const [name, ...rest] = args
      const [ofCore, ofSnapshot] = await Promise.all(
        [core, file].map((path) => arenaInspect([name!, path, ...rest])),
      )
      t.equal(ofSnapshot!.code, 0, ofSnapshot!.stderr)
      t.ok(ofSnapshot!.stdout === ofCore!.stdout && ofCore!.stdout.length > 100, args.join(' '))
    }
    const again = await arenaInspect(['snapshot', core, '-o', file])
    t.equal(again.code, 1)
    t.match(again.stderr, /exists already; .*--force/)
    const program = await arenaInspect(['report', file, '/bin/true'])
    t.match(program.stderr, /needs no program/)
    const saved = await arenaInspect(['snapshot', file, '-o', join(folder, 'again.gz')])
    t.match(saved.stderr, /is saved already; copy the file/)
    t.notOk(existsSync(join(folder, 'again.gz')))
  })

  t.test('without chunks, and replaced by --force', async (t) => {
    const small = join(folder, 'small.gz')
    writeFileSync(small, 'what was here before')
    const made = await arenaInspect(['snapshot', core, '-o', small, '--no-chunks', '--force'])
    t.equal(made.code, 0, made.stderr)
    t.ok(statSync(small).size < statSync(file).size)
    const bare = await openAny({ kind: 'core', path: small })
    t.same(bare.report, target.report)
    t.same(
      bare.chunksIn(address(0), address(1n << 60n)).filter(({ state }) => state !== 'arena'),
      [],
    )
    const chunks = await arenaInspect(['chunks', small])
    t.equal(chunks.code, 1)
    t.equal(chunks.stdout, '')
    t.match(chunks.stderr, /holds no chunks \(made with --no-chunks\); make it again/)
    await bare.close()
  })

  t.test('with memory', async (t) => {
    const whole = await writeSnapshot(target, join(folder, 'memory.gz'), { memory: true })
    const session = await openAny({ kind: 'snapshot', path: whole })
    t.teardown(() => session.close())
    let compared = 0
    for (const at of probes(target).map((at) => address(at))) {
      for (const length of [8, 300_000]) {
        const read = session.read(at, length)
        const real = target.read(at, length)
        for (let byte = 0; byte < length; byte++) {
          // What a core takes from mapped files is not in the snapshot.
          if (read.known[byte] !== 1) continue
          compared++
          if (real.known[byte] !== 1 || real.bytes[byte] !== read.bytes[byte]) t.fail(`${at} + ${byte}`)
        }
      }
    }
    t.ok(compared > 1_000_000, `${compared} bytes`)
    const heap = address(BigInt(target.report.heap!.arenas[2]!.address))
    t.same(session.read(heap, 100_000), target.read(heap, 100_000))
    t.equal(session.read(address(8), 1).fault, '0x8 not mapped')
    const args = ['main_arena', '--as', 'hex', '--count', '128']
    t.equal(
      (await arenaInspect(['x', whole, ...args])).stdout,
      (await arenaInspect(['x', core, ...args])).stdout,
    )
  })
})

t.test('of a kernel core that was cut: its problems go with it', async (t) => {
  const dying = await start(program, ['3', '1', '3', 'log:16:4096', join(folder, 'out2')], { cwd: folder })
  const core = kernelCores()
    ? await kernelCore(dying, folder, 'core.2')
    : gcore(dying.pid, join(folder, 'core.2'))
  const cut = join(folder, 'core.cut')
  writeFileSync(cut, readFileSync(core).subarray(0, Math.floor(statSync(core).size / 3)))
  const target = await openCoreSession(cut, false)
  t.equal(target.report.complete, false)
  const snapshot = await openAny({ kind: 'core', path: await writeSnapshot(target, join(folder, 'cut.gz')) })
  sameAnswers(t, snapshot, target)
  t.same(rowsOf(snapshot), rowsOf(target))
  await Promise.all([target.close(), snapshot.close(), dying.kill()])
})

t.test('of a live process', async (t) => {
  const { stdout, code } = await arenaInspect([
    'snapshot',
    '--pid',
    String(pid),
    '-o',
    join(folder, 'live.gz'),
  ])
  t.equal(code, 0)
  t.equal(stdout, '')
  const session = await openAny({ kind: 'core', path: join(folder, 'live.gz') })
  t.match(session.report.target, { kind: 'live', pid })
  t.equal(session.isLive, false)
  const live = session.report.heap!.totals
  let bytes = 0
  for (const { count, sizes } of session.chunkBatches({ states: new Set(['live']) }))
    for (let row = 0; row < count; row++) bytes += sizes[row]!
  t.equal(bytes, live.liveBytes, 'it stood still of itself')
  await session.close()
})

t.test('a writer that is ended leaves nothing', async (t) => {
  const room = scratch()
  const file = join(room, 'big.arenas.gz')
  for (const signal of ['SIGINT', 'SIGKILL'] as const) {
    const { child, ended, ending } = startArenaInspect([
      'snapshot',
      '--pid',
      String(pid),
      '-o',
      file,
      '--include-memory',
    ])
    const writes = () => readdirSync(room).some((name) => statSync(join(room, name)).size > 0)
    await waitUntil('it writes', writes, ending)
    child.kill(signal)
    const { code } = await ended
    t.notOk(existsSync(file))
    if (signal === 'SIGINT') {
      t.equal(code, 130)
      t.same(readdirSync(room), [], 'nor its draft')
    }
  }
})

t.test('saved reports', async (t) => {
  const json = join(folder, 'report.json')
  const packed = join(folder, 'report.json.gz')
  const core = join(folder, 'core.1')
  await arenaInspect(['report', core, '--json', '-o', json])
  writeFileSync(packed, gzipSync(readFileSync(json)))
  for (const path of [json, packed]) {
    const session = await openAny({ kind: 'core', path })
    t.equal(renderJson(session.report), readFileSync(json, 'utf8'))
    await session.close()
  }
  for (const [args, says] of [
    [['chunks', json], /a saved report holds no chunks; make a snapshot/],
    [['heaps', json], /does not tell the heaps/],
    [['x', json, '0x1000'], /a saved report holds no memory/],
    [['maps', json, '--by', 'path'], /by category only/],
  ] as const) {
    const { code, stderr } = await arenaInspect(args)
    t.equal(code, 1)
    t.match(stderr, says)
    t.equal(stderr.trimEnd().split('\n').length, 1)
  }
  const categories = await arenaInspect(['maps', json, '--json'])
  t.equal(categories.stdout, (await arenaInspect(['maps', core, '--json'])).stdout)
})
