// The built command while it runs: its lines as they come, signals to it, its end.

import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Ended } from './command.js'
import { endWithUs } from './end-with-us.js'
import { ROOT } from './programs.js'
import { DEADLINE_MS } from './wait-until.js'

const CLI = join(ROOT, 'dist/cli.js')

/** A run of `arena-inspect` that the test talks to; killed when the test process ends. */
export class RunningCommand {
  readonly ended: Promise<Ended>
  stdout = ''
  stderr = ''
  /** When each whole line of stdout came, ms since 1970. */
  readonly lineTimes: number[] = []
  readonly #child: ChildProcess
  #isOver = false

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const { NODE_OPTIONS: _, NODE_V8_COVERAGE: __, FORCE_COLOR: ___, ...own } = process.env
    this.#child = spawn(process.execPath, [CLI, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...own, ...env },
    })
    endWithUs(this.#child)
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      while (this.lineTimes.length < this.stdout.split('\n').length - 1) this.lineTimes.push(Date.now())
    })
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject)
      this.#child.once('close', (code, signal) => {
        this.#isOver = true
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr })
      })
    })
  }

  get pid(): number {
    return this.#child.pid!
  }

  get lines(): readonly string[] {
    return this.stdout.split('\n').slice(0, -1)
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Waits until `seen` holds; throws with all output when it ends before, or never does. */
  async until(seen: (run: this) => boolean): Promise<void> {
    const end = Date.now() + DEADLINE_MS
    while (!seen(this)) {
      if (this.#isOver || Date.now() > end) throw new Error(`it never came:\n${this.stdout}\n${this.stderr}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}
