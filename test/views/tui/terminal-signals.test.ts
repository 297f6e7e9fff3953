// The TUI in a real terminal: a signal ends it and leaves the terminal as it was.
import t from 'tap'
import { skip, start } from './in-terminal.js'

t.test('signals', { skip }, async (t) => {
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT'] as const) {
    const killed = await start(t, 'open')
    await killed.terminal.until(/Where the resident memory is/)
    process.kill(killed.pid, signal)
    await killed.restored(`ended by ${signal}`)
  }
})
