// The TUI in a real terminal while its target is opened, when it is read again, and where others misbehave.
import t from 'tap'
import { skip, start } from './in-terminal.js'

t.test('while the target opens', { skip }, async (t) => {
  const slow = await start(t, 'slow')
  const screen = await slow.terminal.until(/reading core\.6/)
  t.match(screen, /reading core\.6\\x1b\[2J/)
  t.match(screen, /█ +25 %/)
  t.match(screen, /64 arenas hold 12\.0 GiB/, 'what the headers say comes before any chunk is read')
  slow.terminal.press('j')
  slow.release('open')
  await slow.terminal.until(/Where the resident memory is/)
  slow.terminal.press('q')
  await slow.restored('ended by quit')

  const failing = await start(t, 'slow')
  await failing.terminal.until(/reading core\.6/)
  failing.release('fail')
  await failing.restored('failed: it could not be opened')

  const impatient = await start(t, 'slow')
  await impatient.terminal.until(/reading core\.6/)
  impatient.terminal.press('q')
  await impatient.restored('ended by quit')
})

t.test('a live target refreshes', { skip }, async (t) => {
  const { terminal, restored } = await start(t, 'live')
  await terminal.until(/\(sleeping\)[\s\S]* read \d+ s ago · r refreshes/)
  terminal.press('r')
  await terminal.until(/^ refreshed/m)
  terminal.press('G')
  await terminal.until(/looked at the target again/)
  terminal.press('q')
  await restored('ended by quit')
})

t.test('in an environment that upsets others', { skip }, async (t) => {
  const { terminal, restored } = await start(t, 'open', { CI: '1', DEV: 'true', NO_COLOR: '1' })
  await terminal.until(/Where the resident memory is/)
  t.notOk(terminal.screen(true).includes('\x1b['), 'no colour at all')
  terminal.press('q')
  await restored('ended by quit')
})

t.test('a target that can be looked at before all is read', { skip }, async (t) => {
  const { terminal, release, restored } = await start(t, 'early')
  const screen = await terminal.until(/reading core\.6/)
  t.match(screen, /the heaps are being read: no verdict yet/)
  t.match(screen, /reading core\.6\\x1b\[2J · 25 % · numbers are still missing/)
  terminal.press('5')
  const memory = await terminal.until(/\[5 Memory\][\s\S]*q quit/)
  terminal.press('j', 'j', 'l')
  await terminal.until((now) => now !== memory && /\[5 Memory\]/.test(now))
  terminal.press('4')
  await terminal.until(/still being read: this fills in/)
  release('open')
  await terminal.until(/\[4 Chunks\][\s\S]*0x55d0c1a00000/)
  terminal.press('1')
  await terminal.until(/Where the resident memory is/)
  terminal.press('q')
  await restored('ended by quit')
})
