// A node server with zlib and crypto in its thread pool; every answer's digest is checked.
import { fileURLToPath } from 'node:url'
import { digestWork } from './digest-work.mjs'
import { askHttp, Load, sha256 } from './load.mjs'
import { end, lastWords, launch, until } from './own-processes.mjs'

const SERVER = fileURLToPath(new URL('digest-server.mjs', import.meta.url))
const SEEDS = Array.from({ length: 32 }, (_, index) => `seed-${index}`)
const LANES = 8

export function node() {
  let server = null
  let load = null

  return {
    name: 'node',

    async start() {
      const expected = await Promise.all(SEEDS.map(async (seed) => sha256(await digestWork(seed))))
      server = launch(process.execPath, [SERVER])
      const [, port] = await until('node', () => /^port (\d+)$/m.exec(server.output), server)
      let turn = 0
      const ask = () => {
        const index = turn++ % SEEDS.length
        return askHttp(`http://127.0.0.1:${port}/${SEEDS[index]}`, expected[index])
      }
      load = new Load(Array(LANES).fill(ask))
      await until('node', () => load.operations > LANES, server)
    },

    pids: () => [server.pid],

    async check() {
      const { operations, errors } = await load.stop()
      if (!/^port \d+\n$/.test(server.output)) errors.push(`it said: ${lastWords(server)}`)
      return { operations, errors }
    },

    stop: () => end(server, 'SIGTERM'),
  }
}
