// A real editor as the client: Emacs with dap-mode, headless, on the core of a program like the demo's.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { address } from '../../../src/memory/address.js'
import { readExactly } from '../../../src/memory/memory-source.js'
import type { Report } from '../../../src/report/report.js'
import { openTarget } from '../../../src/target/open.js'
import { arenaInspect } from '../../support/command.js'
import { compile, gcore, ROOT, scratch, start } from '../../support/programs.js'

const NOT_HERE =
  existsSync('/usr/bin/emacs') && existsSync('/usr/share/emacs/site-lisp/elpa-src/dap-mode-0.7')
    ? false
    : 'Emacs with dap-mode is not installed (apt-get install emacs-nox elpa-dap-mode)'

t.test(
  'Emacs attaches, lists threads, opens Arenas, reads memory, disconnects',
  { skip: NOT_HERE },
  async (t) => {
    const folder = scratch()
    const program = compile('examples/programs/arena-bloat.c')
    const running = await start(program, ['4', '2', '1', 'log:64:4096', join(folder, 'out')])
    const core = gcore(running.pid, join(folder, 'core'))
    await running.kill()
    const { heap, target } = JSON.parse(
      (await arenaInspect(['report', core, '--format', 'json'])).stdout,
    ) as Report
    const adapter = [process.execPath, join(ROOT, 'dist/cli.js'), 'dap']
    const { NODE_OPTIONS: _, ...env } = process.env
    const { stdout, stderr, status } = spawnSync(
      '/usr/bin/emacs',
      ['--batch', '-f', 'package-initialize', '-l', join(ROOT, 'test/views/dap/editors/dap-mode.el')],
      {
        encoding: 'utf8',
        timeout: 90_000,
        env: { ...env, HOME: folder, CORE: core, PROGRAM: program, ADAPTER: adapter.join('\n') },
      },
    )
    t.equal(status, 0, stderr)
    const line = (start: string) => stdout.split('\n').find((text) => text.startsWith(start)) ?? ''
    t.equal(line('capability readMemory'), 'capability readMemory t')
    t.equal(line('threads '), `threads ${target.threads}`)
    t.equal(line('arenas '), `arenas ${heap!.arenas.length}`)
    for (const scope of ['Arguments', 'Locals', 'Registers', 'Arenas', 'Ledger', 'Findings', 'Regions'])
      t.ok(line(`scope ${scope}`), scope)
    const [main] = heap!.arenas
    t.match(line('arena system bytes'), ` = ${main!.systemBytes} `)
    t.match(line('arena free bytes'), ` = ${main!.freeBytes} `)
    const opened = openTarget({ kind: 'core', path: core })
    const bytes = readExactly(opened.memory, address(BigInt(main!.address)), 32)
    opened.close()
    t.equal(line('memory '), `memory ${main!.address} ${Buffer.from(bytes).toString('hex')}`)
    t.equal(line('adapter ended'), 'adapter ended with 0')
  },
)
