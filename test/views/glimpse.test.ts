// The first table: what is known of arenas before their chunks are read, and that it comes before them.
import t from 'tap'
import { type ArenaGlimpse, readHeapModel } from '../../src/malloc/read-heap-model.js'
import { openLive } from '../../src/target/live/open-live.js'
import { glimpseTable } from '../../src/views/text/glimpse-table.js'
import { compile, start } from '../support/programs.js'

t.test('headers are told before any chunk is read, and stay what they were', async (t) => {
  const running = await start(compile('test/programs/trim-shapes.c'), ['scattered', '4'])
  const target = openLive(running.pid)
  const told: { done: number; known: number; glimpses: readonly ArenaGlimpse[] }[] = []
  const state = await readHeapModel(target, null, {
    progress: (done, known, glimpses) => {
      told.push({ done, known, glimpses })
    },
  })
  target.close()
  await running.kill()
  t.same(
    told.map(({ done, known }) => [done, known]),
    [0, 1, 2, 3, 4].map((done) => [done, 4]),
  )
  const arenas = state!.model.arenas.map(({ index, address, systemBytes, attachedThreads }) => {
    return { index, address, systemBytes, attachedThreads }
  })
  t.same(told[0]!.glimpses, arenas, 'the first table has the figures of the last')
})

t.test('the largest first, and all of them in the sum', async (t) => {
  const arenas = [
    { index: 0, address: '0x1000', systemBytes: 1 << 20, attachedThreads: 1 },
    { index: 1, address: '0x2000', systemBytes: 3 << 20, attachedThreads: 2 },
    { index: 2, address: '0x3000', systemBytes: null, attachedThreads: null },
  ]
  t.equal(
    glimpseTable(arenas, 2),
    [
      ' 3 arenas hold 4.0 MiB, by their headers; how much of it is in use is being read',
      ' largest arenas   system  threads',
      ' 1     0x2000    3.0 MiB        2',
      ' main  0x1000    1.0 MiB        1',
    ].join('\n'),
  )
})
