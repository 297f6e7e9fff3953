// What is said of single chunks: their states are those of the list of all chunks, and their links lead where lists go.
import { join } from 'node:path'
import t from 'tap'
import { binOfSize } from '../../src/malloc/chunks/bin-index.js'
import { layoutOfVersion } from '../../src/malloc/layout.js'
import { address, hex } from '../../src/memory/address.js'
import { openSession } from '../../src/session/open-session.js'
import { CHUNK_STATES } from '../../src/session/session.js'
import { compile, gcore, scratch, start } from '../support/programs.js'

/** How many chunks of each state are asked for, spread over all. */
const SAMPLE = 60
const program = compile('test/programs/heap-shapes.c')

for (const shape of ['fastbins', 'tcache', 'trimmed']) {
  t.test(shape, async (t) => {
    const folder = scratch()
    const running = await start(program, [shape, join(folder, 'out')], { cwd: folder })
    const core = gcore(running.pid, join(folder, 'core.facts'))
    await running.kill()
    const session = await openSession({ kind: 'core', path: core }, { useGdb: false })
    t.teardown(() => session.close())
    const { model } = session.measurement.malloc!

    const chunks = new Map<string, { at: bigint; size: number }[]>()
    for (const batch of session.chunkBatches({}))
      for (let row = 0; row < batch.count; row++) {
        const state = CHUNK_STATES[batch.states[row]!]!
        const known = chunks.get(state) ?? []
        known.push({ at: batch.addresses[row]!, size: batch.sizes[row]! })
        chunks.set(state, known)
      }
    t.ok(chunks.size >= 3, `states: ${[...chunks.keys()]}`)
    const byAddress = new Map(
      [...chunks].flatMap(([state, all]) => all.map(({ at }) => [at, state] as const)),
    )
    let links = 0
    for (const [state, all] of chunks) {
      const step = Math.max(1, Math.floor(all.length / SAMPLE))
      for (const { at, size } of all.filter((_, index) => index % step === 0)) {
        const [line = ''] = session.describe(address(at)).lines
        const place = state === 'mmapped' ? `mmapped chunk ${hex(at)}, ` : `chunk ${hex(at)} of arena `
        if (!line.startsWith(place)) t.fail(`${state}: ${line}`)
        if (state !== 'mmapped' && !line.includes(`, ${size.toLocaleString('en-US')} bytes, ${state}`))
          t.fail(`${size} ${state}: ${line}`)
        const [chunk] = session.chunksIn(address(at), address(at + 1n))
        for (const link of chunk ? session.linksOf(chunk) : []) {
          if (link.name.endsWith('_nextsize')) continue
          links++
          // A tcache's links lead behind the headers.
          const target = link.target - (link.name === 'next' ? 16n : 0n)
          const isHeader = model.arenas.some(
            ({ address: arena }) => target >= arena && target < arena + 0x898n,
          )
          const ends = link.target === 0n || isHeader
          const leads = byAddress.get(target)
          if (!ends && leads !== state)
            t.fail(`${state} ${hex(at)}: ${link.name} leads to ${hex(link.target)}, ${leads}`)
          if (link.isMangled !== (state === 'tcache' || state === 'fastbin')) t.fail(`mangled: ${line}`)
        }
      }
      t.pass(`${state}: ${all.length}`)
    }
    t.ok(links > 20, `${links} links lead to chunks of the same state, to bins, or end`)
    const inside = chunks.get('live')![0]!
    t.match(
      session.describe(address(inside.at + 16n)).lines[0],
      new RegExp(`^chunk ${hex(inside.at)} \\+ 0x10 of`),
    )
    const [live] = session.chunksIn(address(inside.at), address(inside.at + 1n))
    t.same(session.linksOf(live!), [], "a live chunk's bytes are no links")
  })
}

t.test('bins by size, at their edges', async (t) => {
  const bin = (size: number, minor: number, word: 8 | 4) => {
    const { kind, index } = binOfSize(size, layoutOfVersion(minor, word))
    return `${kind} ${index}`
  }
  // glibc malloc/malloc.c: smallbin_index, largebin_index_64, largebin_index_32_big, largebin_index_32.
  t.equal(bin(32, 36, 8), 'small 2')
  t.equal(bin(1008, 36, 8), 'small 63')
  t.equal(bin(1024, 36, 8), 'large 64')
  t.equal(bin(3136, 36, 8), 'large 97')
  t.equal(bin(3072 + 512, 36, 8), 'large 98')
  t.equal(bin(1 << 20, 36, 8), 'large 126')
  t.equal(bin(16, 36, 4), 'small 2')
  t.equal(bin(992, 36, 4), 'small 63')
  t.equal(bin(1008, 36, 4), 'large 64')
  t.equal(bin(16, 23, 4), 'small 2')
  t.equal(bin(504, 23, 4), 'small 63')
  t.equal(bin(512, 23, 4), 'large 64')
})
