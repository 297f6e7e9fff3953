// The TUI on a made-up session, for the tests that drive a real terminal. Says how it ended, as the CLI would.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { Loading } from '../../../src/views/tui/loading.js'
import { runTui } from '../../../src/views/tui/run-tui.js'
import { FakeSession } from '../../fakes/fake-session.js'

type Mode = 'open' | 'live' | 'slow' | 'early' | 'throw'

const [mode, gate, pidFile] = process.argv.slice(2) as [Mode, string, string]
const session: FakeSession = new FakeSession({
  isLive: mode === 'live',
  refresh: async () => ({ ...session.report, problems: ['looked at the target again'] }),
})

/** Waits until the test writes the file; throws when it says `fail`. */
async function throughGate(): Promise<void> {
  while (!existsSync(gate)) await new Promise((resolve) => setTimeout(resolve, 20))
  if (readFileSync(gate, 'utf8') === 'fail') throw new Error('it could not be opened')
}

writeFileSync(pidFile, `${process.pid}`)
if (mode === 'throw') void throughGate()

try {
  const open =
    mode !== 'slow' && mode !== 'early'
      ? session
      : async ({ progress, early }: Loading) => {
          if (mode === 'early') early(session)
          progress({
            text: 'reading core.6\x1b[2J',
            fraction: 0.25,
            rows: () => [' 64 arenas hold 12.0 GiB'],
          })
          await throughGate()
          return session
        }
  const color = process.env.NO_COLOR === undefined
  const ending = await runTui(open, { stdin: process.stdin, stdout: process.stdout, color })
  console.log(`ended by ${ending}`)
} catch (error) {
  if (!(error instanceof Error)) throw error
  console.log(`failed: ${error.message}`)
}
process.exit(0)
