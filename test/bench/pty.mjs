// A program on a terminal of its own (script(1) makes it), timed from a key to the frame that answers it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const DEADLINE_MS = 20_000

/** One program in 200×60. `frameEnd` is what the program sends last in a frame. */
export class Pty {
  #child
  #folder = mkdtempSync(join(tmpdir(), 'arena-inspect-pty-'))
  #waiting = null
  #text = ''
  #frameEnd

  constructor(command, { columns = 200, rows = 60, frameEnd = '\x1b[?2026l' } = {}) {
    this.#frameEnd = frameEnd
    const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
    const line = `stty rows ${rows} cols ${columns}; echo $$ > '${this.#folder}/pid'; exec ${quoted}`
    this.#child = spawn('script', ['-qfec', line, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, TERM: 'xterm-256color', LC_ALL: 'C.UTF-8' },
    })
    this.#child.stdout.setEncoding('utf8').on('data', (data) => {
      this.#text += data
      if (this.#waiting?.isMet(this.#text)) {
        this.#waiting.met(performance.now())
        this.#waiting = null
      }
    })
    this.#child.on('exit', (code) =>
      this.#waiting?.failed(new Error(`it ended: ${code}\n${this.#text.slice(-2000)}`)),
    )
  }

  /** Milliseconds from now to a whole frame in which `wanted` was sent. */
  async until(wanted) {
    const started = performance.now()
    return (await this.#met((text) => this.#isFrame(text) && wanted.test(text))) - started
  }

  send(keys) {
    this.#child.stdin.write(keys)
  }

  /** Milliseconds from sending `keys` to the end of the next frame. */
  async frameAfter(keys) {
    this.#text = ''
    const started = performance.now()
    this.#child.stdin.write(keys)
    return (await this.#met((text) => this.#isFrame(text))) - started
  }

  /** Milliseconds from sending `keys` to a whole frame in which `wanted` was sent. */
  async press(keys, wanted) {
    this.#text = ''
    this.#child.stdin.write(keys)
    return this.until(wanted)
  }

  /** Until nothing has been sent for `ms`. */
  async quiet(ms = 300) {
    for (let before = -1; before !== this.#text.length; ) {
      before = this.#text.length
      await new Promise((resolve) => setTimeout(resolve, ms))
    }
  }

  /** Peak resident memory so far, in MB of 10⁶ bytes. */
  get peakMb() {
    const pid = readFileSync(join(this.#folder, 'pid'), 'utf8').trim()
    return (Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024) / 1e6
  }

  async quit(key = 'q') {
    this.#child.stdin.write(key)
    if (this.#child.exitCode === null) await once(this.#child, 'exit')
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #isFrame(text) {
    return this.#frameEnd === null ? text !== '' : text.endsWith(this.#frameEnd)
  }

  #met(isMet) {
    if (isMet(this.#text)) return Promise.resolve(performance.now())
    return new Promise((met, failed) => {
      const deadline = setTimeout(() => {
        // script(1) would hold our output open.
        this.#child.kill()
        failed(new Error(`no such frame:\n${this.#text.slice(-3000)}`))
      }, DEADLINE_MS)
      this.#waiting = {
        isMet,
        met: (at) => {
          clearTimeout(deadline)
          met(at)
        },
        failed,
      }
    })
  }
}
