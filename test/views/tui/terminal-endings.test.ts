// The TUI in a real terminal: on every way out the terminal is as it was.
import t from 'tap'
import { waitUntil } from '../../support/wait-until.js'
import { isAlive, skip, start } from './in-terminal.js'

t.test('Ctrl-C, an error, and a terminal that goes away', { skip }, async (t) => {
  const key = await start(t, 'open')
  await key.terminal.until(/Where the resident memory is/)
  key.terminal.press('C-c')
  await key.restored('ended by SIGINT')

  const broken = await start(t, 'throw')
  await broken.terminal.until(/Where the resident memory is/)
  broken.release('fail')
  await broken.restored('failed: it could not be opened')

  const closed = await start(t, 'open')
  await closed.terminal.until(/Where the resident memory is/)
  closed.terminal.close()
  await waitUntil('the app ends when its terminal is closed', () => !isAlive(closed.pid))
})

t.test('Ctrl-Z and fg', { skip }, async (t) => {
  const { terminal } = await start(t, 'open')
  await terminal.until(/Where the resident memory is/)
  t.ok(terminal.screen(true).includes('\x1b['), 'in colour')
  terminal.press('C-z')
  await waitUntil('Ctrl-Z gives the terminal to the shell', () => terminal.variable('alternate_on') === '0')
  terminal.type('fg')
  await terminal.until(/Where the resident memory is/)
  terminal.press('5')
  await terminal.until(/\[5 Memory\]/)
  terminal.press('q')
  await waitUntil('it ends', () => terminal.variable('alternate_on') === '0')
  await terminal.until(/ended by quit/)
})
