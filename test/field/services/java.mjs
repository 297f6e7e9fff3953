// A Java program whose eight threads churn memory and answer with checksums.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Connection, Load, same, sha256 } from './load.mjs'
import { end, lastWords, launch, until } from './own-processes.mjs'
import { programOf } from './programs.mjs'

const SOURCE = fileURLToPath(new URL('Churn.java', import.meta.url))
const THREADS = 8
const DIGEST_BYTES = 32
/** What is asked for, over and over: a seed, a size, and the digest that must come. */
const QUESTIONS = Array.from({ length: 64 }, (_, index) => {
  const [seed, size] = [1 + index * 7919, 1024 << (index % 7)]
  return { seed, size, digest: sha256(bytesOf(seed, size)) }
})

export function java(folder) {
  const crashReport = join(folder, 'crash.log')
  let server = null
  let connections = []
  let load = null

  let turn = 0
  async function ask(connection) {
    const { seed, size, digest } = QUESTIONS[turn++ % QUESTIONS.length]
    const question = Buffer.alloc(8)
    question.writeInt32BE(seed, 0)
    question.writeInt32BE(size, 4)
    const answer = await connection.ask(question, (bytes) =>
      bytes.length < DIGEST_BYTES ? undefined : bytes,
    )
    same(answer.toString('hex'), digest, `seed ${seed}`)
  }

  return {
    name: 'java',

    async start() {
      execFileSync(programOf('javac', 'default-jdk-headless'), ['-d', folder, SOURCE])
      const options = ['-Xmx128m', '-XX:+UseG1GC', `-XX:ErrorFile=${crashReport}`, '-cp', folder]
      server = launch(programOf('java', 'default-jdk-headless'), [...options, 'Churn'], { cwd: folder })
      const [, port] = await until('java', () => /^port (\d+)$/m.exec(server.output), server)
      connections = Array.from({ length: THREADS }, () => new Connection(Number(port)))
      load = new Load(connections.map((one) => () => ask(one)))
      await until('java', () => load.operations > 10 * THREADS, server)
    },

    pids: () => [server.pid],

    async check() {
      const { operations, errors } = await load.stop()
      if (!/^port \d+\n$/.test(server.output)) errors.push(`it said: ${lastWords(server)}`)
      if (existsSync(crashReport)) errors.push('the virtual machine wrote a crash report')
      return { operations, errors }
    },

    async stop() {
      for (const connection of connections) connection.close()
      await end(server, 'SIGTERM')
    },
  }
}

/** The same bytes as in Churn.java. */
function bytesOf(seed, size) {
  let state = seed
  return Buffer.from(
    Array.from({ length: size }, () => {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      return state & 0x3f
    }),
  )
}
