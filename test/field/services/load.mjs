// Clients of our own: they ask, check every answer, and count.
import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { ANSWER_MS } from './own-processes.mjs'

const TICK_MS = 1000

/** Lanes that each ask one thing after another. A lane ends with its first wrong or missing answer. */
export class Load {
  operations = 0
  errors = []
  #isStopping = false
  #lanes

  /** `asks`: for each lane a function that asks once and throws when the answer is wrong. */
  constructor(asks) {
    this.#lanes = asks.map(async (ask, lane) => {
      try {
        while (!this.#isStopping) {
          await withinTime(ask())
          this.operations++
        }
      } catch (error) {
        this.errors.push(`client ${lane}: ${error.cause?.message ?? error.message}`)
      }
    })
  }

  /** Waits for the answers that are still to come. */
  async stop() {
    this.#isStopping = true
    await Promise.all(this.#lanes)
    return { operations: this.operations, errors: this.errors }
  }
}

/** The answer; rejects when it takes too long. Counted in ticks, so that a pause of this process does not count. */
export async function withinTime(answer) {
  let timer
  const late = new Promise((_, reject) => {
    let ticks = 0
    timer = setInterval(() => {
      if (++ticks * TICK_MS >= ANSWER_MS) reject(new Error(`no answer within ${ANSWER_MS / 1000} s`))
    }, TICK_MS)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearInterval(timer)
  }
}

/** A TCP connection on which one question is under way at a time. */
export class Connection {
  #socket
  #received = Buffer.alloc(0)
  #onChange = () => {}
  #broken = null

  constructor(port) {
    const lose = (error) => {
      this.#broken ??= error ?? new Error('the connection was closed')
      this.#onChange()
    }
    this.#socket = connect(port, '127.0.0.1')
      .on('data', (more) => {
        this.#received = Buffer.concat([this.#received, more])
        this.#onChange()
      })
      .on('error', lose)
      .on('close', () => lose(null))
  }

  /** `parse` makes the answer of the bytes so far, or returns undefined while they are not all there. */
  ask(question, parse) {
    this.#received = Buffer.alloc(0)
    return new Promise((resolve, reject) => {
      this.#onChange = () => {
        const answer = parse(this.#received)
        if (answer !== undefined) resolve(answer)
        else if (this.#broken) reject(this.#broken)
      }
      this.#socket.write(question)
      this.#onChange()
    })
  }

  close() {
    this.#socket.destroy()
  }
}

/** Asks for `url` over HTTP and checks the body's SHA-256. */
export async function askHttp(url, expected) {
  const response = await fetch(url)
  const body = Buffer.from(await response.arrayBuffer())
  if (response.status !== 200) throw new Error(`${url}: status ${response.status}: ${body}`)
  same(sha256(body), expected, url)
}

export function same(answer, expected, what) {
  if (answer !== expected) throw new Error(`${what}: ${answer} instead of ${expected}`)
}

export function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex')
}
