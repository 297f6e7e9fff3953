// `find` on a live process and its core: every place really holds what was looked for, and none is missing.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Report } from '../../src/report/report.js'
import { arenaInspect } from '../support/command.js'
import { compile, gcore, scratch, start } from '../support/programs.js'

const folder = scratch()
const program = compile('examples/programs/arena-bloat.c')
const MARK = 'a-prefix-that-is-nowhere-else-7193'

interface Place {
  readonly address: string
  readonly in: readonly string[]
}

const places = (stdout: string) =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Place)

t.test('text, pointers, bytes', async (t) => {
  const running = await start(program, ['3', '2', '50', 'log:16:4096', join(folder, MARK)], { cwd: folder })
  const live = await arenaInspect(['find', '--pid', String(running.pid), MARK, '--json'])
  t.equal(live.code, 0)
  const core = gcore(running.pid, join(folder, 'core.find'))
  await running.kill()

  const saved = places((await arenaInspect(['find', core, MARK, '--json'])).stdout)
  t.ok(saved.length >= 1, 'its arguments are on the main stack')
  t.ok(saved.some(({ in: lines }) => lines.at(-1)?.startsWith('main stack')))
  t.same(places(live.stdout), saved, 'the live process said the same')
  const file = readFileSync(core)
  let inFile = 0
  for (let at = file.indexOf(MARK); at >= 0; at = file.indexOf(MARK, at + 1)) inFile++
  // The core's notes hold the arguments once more (NT_PRPSINFO, cut at 80 bytes).
  t.ok(inFile === saved.length || inFile === saved.length + 1, `${inFile} in the file, ${saved.length} found`)
  for (const { address } of saved) {
    const dump = await arenaInspect([
      'x',
      core,
      address,
      '--as',
      'hex',
      '--count',
      String(MARK.length),
      '--json',
    ])
    const { bytes } = JSON.parse(dump.stdout) as { bytes: string }
    t.equal(Buffer.from(bytes, 'hex').toString(), MARK, `at ${address}`)
  }
  const hex = [...Buffer.from(MARK)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
  t.same(places((await arenaInspect(['find', core, hex, '--json'])).stdout), saved, 'the same as bytes')

  const report = JSON.parse((await arenaInspect(['report', core, '--json'])).stdout) as Report
  const pointers = await arenaInspect(['find', core, report.heap!.arenas[1]!.address])
  t.match(pointers.stdout, /libc\.so\.6 \+ /, "main_arena's next leads to it")
  t.notOk(
    pointers.stdout.split('\n').some((line) => /^0x[0-9a-f]*[^08] {2}/.test(line)),
    'pointers are aligned',
  )

  const bare = join(folder, 'bare.arenas.gz')
  t.equal((await arenaInspect(['snapshot', core, '-o', bare])).code, 0)
  t.match(await arenaInspect(['find', bare, MARK]), {
    code: 1,
    stderr: /the snapshot holds no memory .*; search the core/,
  })
  const whole = join(folder, 'whole.arenas.gz')
  t.equal((await arenaInspect(['snapshot', core, '--include-memory', '-o', whole])).code, 0)
  const kept = places((await arenaInspect(['find', whole, MARK, '--json'])).stdout)
  t.same(
    kept.map(({ address }) => address),
    saved.map(({ address }) => address),
    'a snapshot with memory tells the same places',
  )

  const none = await arenaInspect(['find', core, 'nowhere-in-it'.repeat(3)])
  t.match(none, { code: 0, stdout: '' })
  t.match(none.stderr, /is nowhere in the memory that can be read here/)
  t.equal((await arenaInspect(['find', core, '0x0', '--limit', '2'])).stdout.trim().split('\n').length, 2)
  t.match(await arenaInspect(['find', core]), { code: 2, stderr: /name a target and what to look for/ })
  t.match(await arenaInspect(['find', core, '']), { code: 2, stderr: /nothing to look for/ })
})
