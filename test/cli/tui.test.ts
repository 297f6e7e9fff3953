// The whole program in a real terminal: opens a core, moves, shows memory, resizes, quits, and leaves no trace.
import { join } from 'node:path'
import t from 'tap'
import type { Report } from '../../src/report/report.js'
import { arenaInspect } from '../support/command.js'
import { compile, gcore, kernelCore, kernelCores, ROOT, scratch, start } from '../support/programs.js'
import { noTmux, TmuxTerminal } from '../support/tmux.js'

const folder = scratch()
const program = compile('examples/programs/arena-bloat.c')

t.test('a core and a live process', { skip: noTmux() }, async (t) => {
  const running = await start(program, ['12', '8', '2', 'log:16:4096', join(folder, 'out')], { cwd: folder })
  const live = JSON.parse(
    (await arenaInspect(['report', '--pid', String(running.pid), '--json'])).stdout,
  ) as Report
  const arena = live.heap!.arenas[3]!.address.slice(2)
  const heap = live.heap!.arenas[3]!.heaps[0]!.address.slice(2)

  const terminal = new TmuxTerminal({ columns: 100, rows: 30 })
  t.teardown(() => terminal.close())
  const command = (args: string) => `${process.execPath} ${join(ROOT, 'dist/cli.js')} ${args}; echo "code=$?"`
  terminal.type('stty -g > before; echo marker-line')
  await terminal.until(/^marker-line$/m)

  await t.test('live', async (t) => {
    terminal.type(command(`--pid ${running.pid}`))
    const overview = await terminal.until(/\[1 Overview\][\s\S]*12 arenas hold/)
    t.match(overview, /resident/)
    t.match(overview, new RegExp(`pid ${running.pid}`))
    terminal.press('r')
    await terminal.until(/\[1 Overview\][\s\S]*12 arenas hold/)
    terminal.press('q')
    t.match(await terminal.until(/^code=\d+$/m), /^code=0$/m)
    t.equal(terminal.variable('alternate_on'), '0')
    t.equal(terminal.variable('cursor_flag'), '1')
  })

  const core = kernelCores()
    ? await kernelCore(running, folder, 'core.tui')
    : gcore(running.pid, join(folder, 'core.tui'))
  await running.kill()

  await t.test('a core', async (t) => {
    terminal.type('clear; echo marker-line')
    await terminal.until(/^marker-line$/m)
    terminal.type(command(core))
    await terminal.until(/\[1 Overview\][\s\S]*12 arenas hold/)
    terminal.press('2')
    t.match(await terminal.until(/main 0x[0-9a-f]+/), /use/)
    terminal.press('j', 'j', 'k')
    terminal.press(':')
    terminal.paste('arena 3')
    terminal.press('Enter')
    await terminal.until(new RegExp(`^▸ +3 0x${arena}`, 'm'))
    terminal.press('m')
    const memory = await terminal.until(new RegExp(`^${heap}`, 'm'))
    t.match(memory, /▸arena 3/)
    terminal.press('w')
    await terminal.until(/0x0000000000000001|0x0000000[0-9a-f]{9}/)
    terminal.resize(40, 10)
    await terminal.until((screen) => screen.trimEnd().split('\n').length <= 10 && screen.includes(heap))
    terminal.resize(160, 50)
    await terminal.until(
      (screen) => screen.split('\n').filter((line) => /^[0-9a-f]{12}/.test(line)).length > 35,
    )
    terminal.resize(100, 30)
    terminal.press('Escape')
    await terminal.until(/\[2 Arenas\]/)
    terminal.press('C-c')
    // Not at the start of a line: resizes make tmux put the cursor elsewhere than it was before the program.
    const after = await terminal.until(/code=\d+$/m)
    t.match(after, /code=130$/m, 'Ctrl-C is 130')
    t.match(after, /^marker-line$/m, 'what was on the screen is back')
    t.equal(terminal.variable('alternate_on'), '0')
    t.equal(terminal.variable('cursor_flag'), '1')
    terminal.type('clear; stty -g > after; cmp before after && echo same-settings; rm before after')
    await terminal.until(/^same-settings$/m)
  })

  await t.test('what cannot be opened', async (t) => {
    terminal.type(`clear; ${command('/etc/passwd')}`)
    const screen = await terminal.until(/^code=\d+$/m)
    t.match(screen, /^code=1$/m)
    t.match(screen, /is not a core file/)
    t.equal(terminal.variable('alternate_on'), '0')
  })
})
