// Two named pipes to another process, for questions whose answers are waited for in place, with an end to every wait.
import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { errnoOf } from '../../live/proc-file.js'

/** Looking costs as much as waiting: not before the bytes can be there, at 100 MB/s through gdb, and then now and then. */
const SHORTEST_NAP_MS = 0.05
const BYTES_PER_MS = 100_000
const LONGEST_NAP_MS = 3

/** What came instead of bytes: nobody writes any more, or nothing came in time. */
export type PipeEnd = 'closed' | 'late'

/** `requests` and `answers` in one folder: this side writes the one and reads the other. */
export class PipePair {
  readonly #requests: number
  readonly #answers: number
  readonly #pause = new Int32Array(new SharedArrayBuffer(4))
  #open = true

  /** Makes the pipes. Throws when the machine has no mkfifo. */
  constructor(folder: string) {
    const paths = ['requests', 'answers'].map((name) => join(folder, name))
    execFileSync('mkfifo', ['-m', '600', ...paths], { stdio: 'ignore' })
    // Open for both: an open for writing alone fails as long as nobody reads.
    this.#requests = openSync(paths[0]!, constants.O_RDWR | constants.O_NONBLOCK)
    this.#answers = openSync(paths[1]!, constants.O_RDONLY | constants.O_NONBLOCK)
  }

  /** Requests are short lines: a pipe takes them whole. */
  write(line: string): void {
    writeSync(this.#requests, `${line}\n`)
  }

  /** What there is to read now, at most all of `into`; `closed` before the other side opened the pipe, too. */
  readNow(into: Uint8Array): number | 'closed' | 'nothing' {
    try {
      const got = readSync(this.#answers, into)
      return got === 0 ? 'closed' : got
    } catch (error) {
      if (errnoOf(error) === 'EAGAIN') return 'nothing'
      throw error
    }
  }

  /**
   * Fills all of `into`, sleeping until `deadline` (of performance.now()); null when it is full. `expectedBytes`: what the
   * other side has to fetch before it answers.
   */
  fill(into: Uint8Array, deadline: number, expectedBytes = into.length): PipeEnd | null {
    const fetchMs = Math.min(LONGEST_NAP_MS, expectedBytes / BYTES_PER_MS)
    const napMs = Math.max(SHORTEST_NAP_MS, fetchMs / 4)
    let done = 0
    for (let naps = 0; done < into.length; ) {
      const got = this.readNow(into.subarray(done))
      if (got === 'closed') return 'closed'
      if (got !== 'nothing') {
        done += got
        continue
      }
      if (performance.now() > deadline) return 'late'
      Atomics.wait(this.#pause, 0, 0, naps++ === 0 ? Math.max(SHORTEST_NAP_MS, fetchMs) : napMs)
    }
    return null
  }

  /** By this the other side sees that nobody asks any more. */
  close(): void {
    if (!this.#open) return
    this.#open = false
    closeSync(this.#requests)
    closeSync(this.#answers)
  }
}
