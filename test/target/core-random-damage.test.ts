// Cores damaged at random: cut copies of real ones, and synthetic ones with flipped bytes. SEED repeats a run.
import { copyFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Address, address, hex, offset } from '../../src/memory/address.js'
import { openCore } from '../../src/target/core/open-core.js'
import { type Target, TargetError } from '../../src/target/target.js'
import { auxv, elfCore, elfImage, mappedFiles, prpsinfo, prstatus } from '../fakes/elf-core.js'
import { compile, gcore, kernelCore, kernelCores, scratch, start } from '../support/programs.js'

const SOURCE = `
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void *wait_here(void *unused) { for (;;) pause(); return unused; }
int main(void) {
  pthread_attr_t attributes; pthread_attr_init(&attributes); pthread_attr_setstacksize(&attributes, 65536);
  pthread_t thread; for (int i = 0; i < 3; i++) pthread_create(&thread, &attributes, wait_here, 0);
  memset(malloc(300000), 0x77, 300000);
  puts("ready"); fflush(stdout); for (;;) pause();
}`

const folder = scratch()
const skip = kernelCores() ? false : 'this machine does not write kernel cores into the folder of the process'
const seed = Number(process.env.SEED ?? 20_261_128)

/** Numbers in [0, 1), the same for the same seed. */
function random(from: number): () => number {
  let state = from >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** Everything of the regions of `full`, page by page, that a cut copy can read; which pages differ from it. */
function compare(full: Target, cut: Target): { differing: string[]; read: number } {
  const differing: string[] = []
  const whole = new Uint8Array(4096)
  const part = new Uint8Array(4096)
  let read = 0
  for (const region of full.regions()) {
    for (let at = region.start; at < region.end; at = offset(at, 4096)) {
      const got = cut.memory.read(at, part)
      read += got
      if (got > 0) {
        const had = full.memory.read(at, whole)
        const same = got <= had && Buffer.compare(part.subarray(0, got), whole.subarray(0, got)) === 0
        if (!same) differing.push(hex(at))
      }
      if (got < 4096 && cut.memory.fault(offset(at, got)).kind === 'io') differing.push(`${hex(at)} io`)
    }
  }
  return { differing, read }
}

function openOrRefused(path: string): Target | null {
  try {
    return openCore(path)
  } catch (error) {
    if (error instanceof TargetError) return null
    throw error
  }
}

for (const kind of ['kernel', 'gcore'] as const) {
  t.test(`cut copies of a ${kind} core`, { skip: kind === 'kernel' ? skip : false }, async (t) => {
    const running = await start(compile(SOURCE), [], { cwd: folder })
    const core =
      kind === 'kernel'
        ? await kernelCore(running, folder, 'to-cut')
        : gcore(running.pid, join(folder, 'to-cut-gcore'))
    await running.kill()
    const full = openCore(core)
    t.teardown(() => full.close())
    const size = statSync(core).size
    const everything = compare(full, full).read
    const next = random(seed)
    t.comment(`SEED=${seed}`)
    // A third in headers and notes of either kind; falling, so that one copy serves all.
    const spans = [() => 20000 * next(), () => size * next(), () => size - 20000 * next()]
    const points = Array.from({ length: 60 }, (_, i) => Math.floor(spans[i % 3]!()))
    const copy = join(folder, 'cut')
    copyFileSync(core, copy)
    let opened = 0
    for (const point of points.sort((a, b) => b - a)) {
      truncateSync(copy, point)
      const cut = openOrRefused(copy)
      if (!cut) continue
      opened++
      const { differing, read } = compare(full, cut)
      t.same(differing, [], `cut at ${point} of ${size}: no byte differs`)
      const said = cut.problems.join('\n')
      if (said === '') t.same([read, cut.threads()], [everything, full.threads()], 'nothing is missing')
      else
        t.match(said, /truncated: it ends at \d+ of \d+ bytes; \d+ bytes of memory in \d+ seg|notes are cut/)
      t.ok(cut.regions().length > 0)
      cut.close()
    }
    t.ok(opened > 20, `${opened} of ${points.length} cuts can be opened`)
  })
}

t.test('flipped bytes never crash or hang', async (t) => {
  t.comment(`SEED=${seed}`)
  const next = random(seed)
  const files = [{ start: 0x10000n, end: 0x12000n, page: 0, path: process.execPath }]
  const image = elfImage({ loads: [{ offset: 0, address: 0n, bytes: 4096, flags: 5 }], buildId: 'aa11' })
  const sound = elfCore({
    notes: [
      prstatus({ tid: 7, stackPointer: 0x1100n, threadPointer: 0x1200n, signal: 11 }),
      prpsinfo(7, 'p', 'p'),
      auxv([[3, 0x10040n]]),
      mappedFiles(files),
    ],
    segments: [
      { address: 0x10000n, bytes: image, memoryBytes: 8192, flags: 5 },
      { address: 0x20000n, bytes: new Uint8Array(4096).fill(2) },
    ],
    extendedCount: true,
  })
  const headers = sound.length - 4096 - 64
  const into = new Uint8Array(16384)
  const outcome = { opened: 0, refused: 0 }
  const path = join(folder, 'flipped')
  for (let round = 0; round < 1500; round++) {
    const bytes = sound.slice()
    const flips = 1 + Math.floor(next() * 4)
    for (let k = 0; k < flips; k++)
      bytes[Math.floor(next() * headers)] = [0, 1, 0x7f, 0xff][Math.floor(next() * 4)]!
    writeFileSync(path, bytes)
    const target = openOrRefused(path)
    if (!target) {
      outcome.refused++
      continue
    }
    outcome.opened++
    let before: Address = address(0)
    for (const region of target.regions()) {
      if (region.start < before || region.end <= region.start) t.fail(`round ${round}: regions overlap`)
      before = region.end
      const got = target.memory.read(region.start, into)
      if (got < into.length) target.memory.fault(offset(region.start, got))
    }
    target.modules()
    target.close()
  }
  t.ok(outcome.opened > 300 && outcome.refused > 0, JSON.stringify(outcome))
})
