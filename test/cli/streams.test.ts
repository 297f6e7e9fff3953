// Streams of chunks to readers that are slow, and to readers that have seen enough.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { endWithUs } from '../support/end-with-us.js'
import { compile, gcore, ROOT, scratch, start } from '../support/programs.js'
import { nextOutput, waitUntil } from '../support/wait-until.js'

const CHUNKS = 2_000_000
const MIB = 2 ** 20
const program = compile(
  `#include <stdlib.h>\n#include <stdio.h>\n#include <unistd.h>\nvoid *volatile last; int main(void) { for (int i = 0; i < ${CHUNKS}; i++) last = malloc(24); puts("ready"); fflush(stdout); for (;;) pause(); }`,
)
const running = await start(program)
const core = gcore(running.pid, join(scratch(), 'core'))
await running.kill()

function chunks(...args: string[]) {
  const cli = ['-u', 'NODE_OPTIONS', process.execPath, join(ROOT, 'dist/cli.js'), 'chunks', core, '--no-gdb']
  return endWithUs(spawn('/usr/bin/env', [...cli, ...args], { stdio: ['ignore', 'pipe', 'pipe'] }))
}

function residentBytes(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!
  return Number(kib) * 1024
}

function cpuTicks(pid: number): string {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ').slice(13, 15).join()
}

t.test('a reader that stops stops the walk, not with the output in memory', async (t) => {
  const child = chunks('--format', 'ndjson')
  const pid = child.pid!
  const ended = once(child, 'close')
  const { stdout } = child
  const first = await nextOutput(child)
  stdout.pause()
  const before = residentBytes(pid)
  let ticks = ''
  let same = 0
  await waitUntil('it waits for its reader', () => {
    const now = cpuTicks(pid)
    same = now === ticks ? same + 1 : 0
    ticks = now
    return same > 20
  })
  const grown = residentBytes(pid) - before
  let bytes = first.length
  let lines = first.toString('latin1').split('\n').length - 1
  stdout.on('data', (data: Buffer) => {
    bytes += data.length
    for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, at + 1)) lines++
  })
  stdout.resume()
  t.same(await ended, [0, null])
  t.ok(lines > CHUNKS && bytes > 100 * MIB, `${lines} lines, ${bytes} bytes`)
  t.ok(grown < bytes / 4, `it grew by ${grown} bytes while it waited`)
})

t.test('a reader that has seen enough', async (t) => {
  const child = chunks('--json')
  const ended = once(child, 'close')
  let stderr = ''
  child.stderr.on('data', (text) => {
    stderr += text
  })
  await nextOutput(child)
  child.stdout.destroy()
  t.same(await ended, [0, null])
  t.equal(stderr, '')
})
