// Redis under redis-benchmark, with clients of our own that count and check what they stored.
import { Connection, Load, same, withinTime } from './load.mjs'
import { end, freePort, lastWords, launch, until } from './own-processes.mjs'
import { programOf } from './programs.mjs'

/** Clients that count, and as many that store. */
const LANES = [0, 1]
const STORED_BYTES = [64, 512, 4096, 32_768]
/** One round takes a second where the machine has nothing else to do. */
const ROUND = '-n 1000 -c 8 -P 4 -r 10000 -d 512 -q -t set,get,incr,lpush,rpop,sadd,hset,zadd,spop'.split(' ')

export function redis(folder) {
  const counts = LANES.map(() => 0)
  const errors = []
  let isStopping = false
  let server = null
  let connections = []
  let load = null
  let round = null
  let rounds = null

  async function count(lane) {
    same(await command(connections[lane], 'INCR', `counter-${lane}`), String(counts[lane] + 1), 'INCR')
    counts[lane]++
  }

  let turn = 0
  async function store(lane) {
    const connection = connections[LANES.length + lane]
    const bytes = STORED_BYTES[turn % STORED_BYTES.length]
    const value = String(turn++).padStart(bytes, '.')
    const key = `value-${lane}-${turn % 1000}`
    same(await command(connection, 'SET', key, value), 'OK', 'SET')
    same(await command(connection, 'GET', key), value, 'GET')
  }

  async function benchmark(port) {
    const program = programOf('redis-benchmark', 'redis-tools')
    while (!isStopping) {
      round = launch(program, ['-p', port, ...ROUND])
      const ended = await round.exit
      if (ended !== 0) errors.push(`redis-benchmark: ${ended}: ${lastWords(round)}`)
      if (ended !== 0) return
      await end(round)
    }
  }

  return {
    name: 'redis',

    async start() {
      const port = String(await freePort())
      const settings = `--bind 127.0.0.1 --appendonly yes --io-threads 2 --io-threads-do-reads yes`.split(' ')
      // Debian links jemalloc; with libc in front its malloc is the one that is used, and that a visit is about.
      const env = { ...process.env, LD_PRELOAD: 'libc.so.6' }
      const args = ['--port', port, '--dir', folder, '--save', '', ...settings]
      server = launch(programOf('redis-server', 'redis-server'), args, { env })
      await until('redis', () => server.output.includes('Ready to accept connections'), server)
      connections = [...LANES, ...LANES].map(() => new Connection(port))
      load = new Load([...LANES.map((lane) => () => count(lane)), ...LANES.map((lane) => () => store(lane))])
      rounds = benchmark(port)
    },

    pids: () => [server.pid],

    async check() {
      isStopping = true
      const { operations, errors: wrong } = await load.stop()
      errors.push(...wrong)
      await withinTime(rounds).catch(() => errors.push('redis-benchmark: no end'))
      // An answer that is still to come on a connection would be taken for the one to this question.
      if (wrong.length > 0) return { operations, errors: [...errors] }
      for (const lane of LANES) {
        const stored = await withinTime(command(connections[lane], 'GET', `counter-${lane}`))
        if (stored !== String(counts[lane]))
          errors.push(`counter-${lane}: ${stored}, answered ${counts[lane]}`)
      }
      const bad = server.output.split('\n').filter((line) => /crashed|BUG REPORT|\berror\b/i.test(line))
      if (bad.length > 0) errors.push(`in the log: ${bad[0]}`)
      return { operations, errors: [...errors] }
    },

    async stop() {
      isStopping = true
      for (const connection of connections) connection.close()
      await end(round, 'SIGTERM')
      await end(server, 'SIGTERM')
    },
  }
}

/** Asks one command; the answer as text, an error answer thrown. */
async function command(connection, ...words) {
  const question = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
  const answer = await connection.ask(`*${words.length}\r\n${question.join('')}`, parseAnswer)
  if (answer.startsWith('-')) throw new Error(`${words[0]}: ${answer}`)
  return answer.slice(1)
}

/** `+text`, `:number` and `-error` in one line, `$length` with text behind it; its first character is kept. */
function parseAnswer(bytes) {
  const lineEnd = bytes.indexOf('\r\n')
  if (lineEnd < 0) return undefined
  const line = bytes.toString('latin1', 0, lineEnd)
  if (!line.startsWith('$')) return line
  const start = lineEnd + 2
  const length = Math.max(0, Number(line.slice(1)))
  return bytes.length < start + length + 2 ? undefined : `$${bytes.toString('latin1', start, start + length)}`
}
