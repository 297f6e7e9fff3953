// `x` against gdb's own x, word for word and symbol for symbol.
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { ChunksDump, WordsDump } from '../../src/cli/documents/reading.js'
import type { Report } from '../../src/report/report.js'
import { arenaInspect } from '../support/command.js'
import { compile, gcore, kernelCore, kernelCores, scratch, start } from '../support/programs.js'

const folder = scratch()
const program = compile('examples/programs/arena-bloat.c')

function gdbs(core: string, command: string): string {
  const args = ['-nx', '-batch', '-ex', 'set width 0', '-ex', command, program, core]
  return execFileSync('gdb', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
}

/** Lines of a dump as gdb has them: without our chunk marks. */
function withoutMarks(text: string): string[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/\t# .*$/, ''))
}

t.test('words as gdb prints them', async (t) => {
  const running = await start(program, ['8', '2', '5', 'log:16:4096', join(folder, 'out')], { cwd: folder })
  const core = kernelCores()
    ? await kernelCore(running, folder, 'core.x')
    : gcore(running.pid, join(folder, 'core.x'))
  await running.kill()
  const { heap } = JSON.parse((await arenaInspect(['report', core, '--json'])).stdout) as Report
  const registers = gdbs(core, 'thread apply 1 3 -s print (long) $sp')
  const stacks = [...registers.matchAll(/= (\d+)$/gm)].map(([, value]) => `0x${BigInt(value!).toString(16)}`)
  t.ok(stacks.length > 0, 'stack pointers')
  const roots = /(0x[0-9a-f]+) <roots>/.exec(gdbs(core, 'print &roots'))?.[1]
  const places = [
    heap!.arenas[0]!.address,
    heap!.arenas[3]!.address,
    heap!.arenas[3]!.heaps[0]!.address,
    roots!,
    ...stacks,
  ]
  for (const place of places) {
    const expected = gdbs(core, `x/100a ${place}`)
      .split('\n')
      .filter((line) => /^0x[0-9a-f]+.*:\t/.test(line))
    t.equal(expected.length, 50, `gdb's 100 words at ${place}`)
    const ours = await arenaInspect(['x', core, place, '--count', '100'])
    t.equal(ours.code, 0)
    t.same(withoutMarks(ours.stdout), expected, `x/100a ${place}`)
  }
  const named = await arenaInspect(['x', core, 'main_arena', '--count', '4'])
  t.match(named.stdout, /^0x[0-9a-f]+ <main_arena>:\t/)
  const marked = await arenaInspect(['x', core, 'arena:3', '--count', '400'])
  t.match(marked.stdout, /\t# used chunk 0x[0-9a-f]+, \d+ bytes, arena 3/)
  const hex = await arenaInspect([
    'x',
    core,
    heap!.arenas[3]!.heaps[0]!.address,
    '--as',
    'hex',
    '--count',
    '16',
  ])
  const words = expectedBytes(gdbs(core, `x/16xb ${heap!.arenas[3]!.heaps[0]!.address}`))
  t.match(hex.stdout.replace(/ +/g, ' '), words)
  const chunks = await arenaInspect([
    'x',
    core,
    heap!.arenas[3]!.address,
    '--as',
    'chunks',
    '--count',
    '600',
    '--json',
  ])
  const listed = (JSON.parse(chunks.stdout) as ChunksDump).chunks
  t.equal(listed[0]!.state, 'arena')
  for (let i = 1; i < listed.length; i++) {
    const end = BigInt(listed[i - 1]!.address) + BigInt(listed[i - 1]!.sizeBytes)
    t.equal(`0x${end.toString(16)}`, listed[i]!.address, 'chunks lie back to back')
  }

  await t.test('what cannot be read', async (t) => {
    const nowhere = await arenaInspect(['x', core, '0x10'])
    t.equal(nowhere.code, 1)
    t.equal(nowhere.stdout, '')
    t.match(nowhere.stderr, /^arena-inspect: 0x10 not mapped; [^\n]+\n$/)
    const { heaps } = heap!.arenas[3]!
    const edge = BigInt(heaps[0]!.address) + BigInt(heaps[0]!.sizeBytes) - 16n
    const partial = await arenaInspect(['x', core, `0x${edge.toString(16)}`, '--count', '8', '--strict'])
    t.equal(partial.code, 4)
    t.equal(withoutMarks(partial.stdout).length, 1, 'the words that are there')
    t.match(partial.stderr, /not saved in the core file|not mapped/)
    t.equal((await arenaInspect(['x', core])).code, 2)
    t.equal((await arenaInspect(['x', core, 'no_such_variable'])).code, 1)
    t.equal((await arenaInspect(['x', core, '0x10', '--count', '0'])).code, 2)
  })
})

t.test('a live process', async (t) => {
  const running = await start(program, ['4', '1', '5', 'log:16:4096', join(folder, 'live')], { cwd: folder })
  const named = await arenaInspect(['x', '--pid', String(running.pid), 'main_arena', '--count', '2'])
  t.match(named.stdout, /^0x[0-9a-f]+ <main_arena>:\t/)
  const ours = await arenaInspect([
    'x',
    '--pid',
    String(running.pid),
    'main_arena',
    '--count',
    '40',
    '--json',
  ])
  const { words } = JSON.parse(ours.stdout) as WordsDump
  t.equal(words.length, 40)
  const mem = openSync(`/proc/${running.pid}/mem`, 'r')
  for (const { address, word } of words) {
    const bytes = Buffer.alloc(8)
    readSync(mem, bytes, 0, 8, BigInt(address))
    t.equal(word, `0x${bytes.readBigUInt64LE().toString(16)}`)
  }
  closeSync(mem)
  await running.kill()
})

function expectedBytes(text: string): RegExp {
  const bytes = [...text.matchAll(/0x([0-9a-f]{2})\b(?!.*:)/g)].map(([, byte]) => byte)
  return new RegExp(bytes.join(' '))
}
