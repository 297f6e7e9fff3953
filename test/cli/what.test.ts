// `what`: every kind of place in a core, against what the other commands say of it.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { WhatDocument } from '../../src/cli/documents/what.js'
import type { Report } from '../../src/report/report.js'
import { arenaInspect } from '../support/command.js'
import { compile, gcore, scratch, start } from '../support/programs.js'

const folder = scratch()
const program = compile('examples/programs/arena-bloat.c')
const running = await start(program, ['4', '1', '5', 'log:16:4096', join(folder, 'out')], { cwd: folder })
const parked = waitingThread(running.pid)
const core = gcore(running.pid, join(folder, 'core.what'))
await running.kill()

/** A thread that waits in a system call for good, and its stack pointer, by the kernel. */
function waitingThread(pid: number): [number, bigint] | null {
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    const words = readFileSync(`/proc/${pid}/task/${tid}/syscall`, 'utf8').trim().split(' ')
    const isFutex = words[0] === '202'
    if (isFutex && Number(tid) !== pid) return [Number(tid), BigInt(words.at(-2)!)]
  }
  return null
}

async function what(at: string, target = core): Promise<WhatDocument> {
  const { stdout, stderr, code } = await arenaInspect(['what', target, at, '--no-gdb', '--json'])
  t.equal(code, 0, stderr)
  return JSON.parse(stdout) as WhatDocument
}

t.test('chunks, with the state that their lists give them', async (t) => {
  const all = (await arenaInspect(['chunks', core, '--no-gdb', '--json'])).stdout
  const rows = all
    .trim()
    .split('\n')
    .map(
      (line) =>
        JSON.parse(line) as { address: string; sizeBytes: number; state: string; arena: number | null },
    )
  const states = ['live', 'tcache', 'binned', 'top', 'mmapped']
  const asked = states.map((state) => rows.findLast((row) => row.state === state)!)
  const said = await Promise.all(asked.map((row) => what(`0x${(BigInt(row.address) + 8n).toString(16)}`)))
  t.same(
    said.map(({ chunk }) => ({
      address: chunk!.address,
      sizeBytes: chunk!.sizeBytes,
      state: chunk!.state,
      arena: chunk!.arena,
    })),
    asked,
  )
  t.ok(said.every(({ chunk }) => chunk!.offsetBytes === 8))
  const cached = said[1]!.chunk!
  const thread = cached.tcacheOf
  t.type(thread, 'number', 'the thread whose tcache it is in')
  t.equal(said[0]!.arena!.index, asked[0]!.arena)
  t.ok(said[4]!.mapping!.category === 'mmapped chunks' && said[4]!.arena === null)
})

t.test('arenas, tcaches, stacks, files, and nothing', async (t) => {
  const report = JSON.parse((await arenaInspect(['report', core, '--no-gdb', '--json'])).stdout) as Report
  const { arenas, threads } = report.heap!
  const worker = threads.find(({ arena, tcache }) => arena === 2 && tcache !== null)!
  const [main, third, tcache, nothing] = await Promise.all([
    what(arenas[0]!.address),
    what('arena:2'),
    what(worker.tcache!.address),
    what('0x1008'),
  ])
  t.match(main, { chunk: null, arena: { index: 0, heap: null, threads: [{}] } })
  t.match(main.mapping!.path, /libc/)
  t.match(third, {
    chunk: { state: 'heap header', userAddress: null, arena: 2 },
    arena: { index: 2, heap: arenas[2]!.heaps[0]!.address, threads: [{ tid: worker.tid }] },
  })
  t.match(tcache.threads, [{ tid: worker.tid, has: 'tcache', aboveStackPointerBytes: null }])
  t.match(nothing, { mapping: null, chunk: null, arena: null, threads: [], nearest: { below: null } })
  const stack = await arenaInspect(['what', core, '0x1008'])
  t.match(stack.stdout, /nothing is mapped here; the first above is 0x/)
  const at = (await what(nothing.nearest!.above!)).mapping!
  t.equal(at.start, nothing.nearest!.above)
})

t.test("a thread's stack: what is in use of it, and the symbol by gdb", async (t) => {
  const [tid, stackPointer] = parked!
  const [above, below] = await Promise.all(
    [16n, -4096n].map((by) => what(`0x${(stackPointer + by).toString(16)}`)),
  )
  t.match(above!.threads, [{ tid, has: 'stack', aboveStackPointerBytes: 16 }])
  t.match(below!.threads, [{ tid, has: 'stack', aboveStackPointerBytes: -4096 }])
  const gdb = await arenaInspect(['what', core, 'main_arena', '--json'])
  t.equal((JSON.parse(gdb.stdout) as WhatDocument).symbol, 'main_arena')
})

t.test(
  'a snapshot says the same, but for lists and stacks; a report says that it does not know',
  async (t) => {
    const snapshot = join(folder, 'what.arenas.gz')
    const report = join(folder, 'what.json')
    t.equal((await arenaInspect(['snapshot', core, '-o', snapshot, '--no-gdb'])).code, 0)
    t.equal((await arenaInspect(['report', core, '--json', '--no-gdb', '-o', report])).code, 0)
    const chunks = (await arenaInspect(['chunks', core, '--no-gdb', '--json'])).stdout.trim().split('\n')
    const rows = chunks.map((line) => JSON.parse(line) as { address: string; state: string })
    const places = ['live', 'tcache', 'binned', 'top', 'mmapped'].map(
      (state) => rows.findLast((row) => row.state === state)!.address,
    )
    for (const at of [...places, 'arena:0', 'arena:2', '0x1008', `0x${parked![1].toString(16)}`]) {
      const [full, saved] = [await what(at), await what(at, snapshot)]
      const byHeader = { live: 'used', tcache: 'used', binned: 'free' } as Readonly<Record<string, string>>
      const state = full.chunk && (byHeader[full.chunk.state] ?? full.chunk.state)
      t.same(
        saved,
        {
          ...full,
          // A chunk with its own mapping is told by the kind of that mapping, main_arena by its name.
          chunk: full.chunk && (state === 'mmapped' ? null : { ...full.chunk, state, tcacheOf: null }),
          arena: at === 'arena:0' ? null : full.arena,
          symbol: at === 'arena:0' ? 'main_arena' : full.symbol,
          threads: null,
        },
        at,
      )
    }
    const stack = await arenaInspect(['what', snapshot, `0x${parked![1].toString(16)}`])
    t.match(stack.stdout, /^ {2}stack +a snapshot does not tell whose it is$/m)
    const poor = await arenaInspect(['what', report, places[0]!])
    t.equal(poor.code, 1)
    t.match(poor.stderr, /a saved report does not tell what is at an address; run this command on a snapshot/)
  },
)

t.test('wrong arguments', async (t) => {
  const none = await arenaInspect(['what', core])
  t.equal(none.code, 2)
  t.match(none.stderr, /name a target and an address; e\.g\. arena-inspect what core\.6 0x/)
  const unknown = await arenaInspect(['what', core, 'no_such_variable'])
  t.equal(unknown.code, 1)
  t.match(unknown.stderr, /no_such_variable is no address.*give 0xHEX/)
})
