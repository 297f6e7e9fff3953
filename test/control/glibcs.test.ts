// The same calls on every glibc of the matrix, 64 and 32 bit: equal numbers, the prediction, the limit.
import { spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { limit, readLimitState } from '../../src/control/limit.js'
import { predictTrim, trim } from '../../src/control/trim.js'
import { verify } from '../../src/control/verify.js'
import { ARCHITECTURES, buildOf, compileFor, fetchedSuites, gdbFor, RELEASES } from '../matrix/glibcs.js'
import { descriptors, openControlled } from '../support/control-page.js'
import { scratch } from '../support/programs.js'

const suites = await fetchedSuites()
for (const release of RELEASES) {
  for (const architecture of ARCHITECTURES) {
    t.test(`glibc ${release} ${architecture}`, async (t) => {
      const build = buildOf(suites, release, architecture)
      if (typeof build === 'string') return void t.pass(release, { skip: build })
      const folder = scratch()
      const program = compileFor(build, 'test/programs/control-target.c')
      const child = spawn(program, ['arenas', join(folder, 'page'), architecture === 'i386' ? '2' : '12'], {
        stdio: ['ignore', 'pipe', openSync(join(folder, 'stderr'), 'a')],
      })
      t.teardown(() => child.kill('SIGKILL'))
      await new Promise((resolve) => child.stdout!.once('data', resolve))
      const fds = descriptors(child.pid!)
      const opened = await openControlled(child.pid!)
      t.teardown(() => opened.close())
      const { differences, glibcs } = await verify(opened, opened.symbols)
      t.same(differences, [], 'every number')
      t.equal(glibcs.statsProblem, null)
      const trimmed = await trim(opened, predictTrim(opened.malloc.model))
      const { predictedBytes, returnedBytes } = trimmed.process
      t.comment(`${release} ${architecture}: predicted ${predictedBytes} returned ${returnedBytes}`)
      t.ok(Math.abs(predictedBytes! - returnedBytes!) <= 0.02 * predictedBytes!)
      const state = await readLimitState(opened, { gdbPath: gdbFor(build) })
      t.comment(JSON.stringify({ ...state, narenasLimit: state.narenasLimit?.value ?? null }))
      if (state.way !== 'none') {
        const set = await limit(opened, state, 3)
        t.equal(set.way === 'write' ? set.narenasLimit : set.arenaMax, 3)
      }
      t.same(descriptors(child.pid!), fds)
    })
  }
}
