// gdbserver for tests: on a free port of this machine, ended with the test.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { endWithUs } from './end-with-us.js'

/** Why there can be no test with gdbserver; false when there can. */
export const noGdbserver: string | false =
  spawnSync('gdbserver', ['--version']).status === 0 ? false : 'no gdbserver here (apt-get install gdbserver)'

export interface Gdbserver {
  /** HOST:PORT. */
  readonly where: string
  readonly child: ChildProcess
  /** What it printed until now. */
  said(): string
  /** Ends it, by SIGTERM or SIGKILL, and waits for that. */
  end(signal?: NodeJS.Signals): Promise<void>
}

/** Starts `gdbserver ARGUMENTS… :PORT REST…`; resolves when it listens. */
export async function gdbserver(before: readonly string[], rest: readonly string[] = []): Promise<Gdbserver> {
  const child = spawn('gdbserver', [...before, '127.0.0.1:0', ...rest], { stdio: ['ignore', 'pipe', 'pipe'] })
  endWithUs(child, 'SIGTERM')
  let text = ''
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const port = await new Promise<string>((resolve, reject) => {
    const take = (data: Buffer) => {
      text += data
      const found = /Listening on port (\d+)/.exec(text)
      if (found) resolve(found[1]!)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.once('exit', () => reject(new Error(`gdbserver ended: ${text}`)))
  })
  return {
    where: `127.0.0.1:${port}`,
    child,
    said: () => text,
    async end(signal = 'SIGTERM') {
      child.kill(signal)
      await ended
    },
  }
}
