// PostgreSQL under pgbench: visits go to the backends and to the server's own processes; the books must balance.
import { execFileSync } from 'node:child_process'
import { chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { withinTime } from './load.mjs'
import { ANSWER_MS, end, lastWords, launch, unprivileged, until } from './own-processes.mjs'
import { programOf } from './programs.mjs'

const CLIENTS = 4
/** Longer than any run; SIGALRM ends it as its own timer would, with its summary. */
const PGBENCH_SECONDS = 1_000_000

const PIDS = `SELECT pid FROM pg_stat_activity WHERE application_name = 'pgbench'
  OR backend_type IN ('checkpointer', 'background writer', 'walwriter') ORDER BY application_name DESC, pid`
/** pgbench adds the same amount to an account, a teller and a branch, and notes it in the history. */
const SUMS = `SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(tbalance) FROM pgbench_tellers),
  (SELECT sum(bbalance) FROM pgbench_branches), (SELECT sum(delta) FROM pgbench_history),
  (SELECT count(*) FROM pgbench_history)`

export function postgres(folder) {
  const sockets = join(folder, 'sockets')
  const data = join(folder, 'data')
  const PORT = '5432'
  const client = { PGHOST: sockets, PGPORT: PORT, PGUSER: 'postgres', PGDATABASE: 'postgres' }
  const env = { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', ...client }
  let server = null
  let bench = null

  const sql = (text) =>
    execFileSync(programOf('psql', 'postgresql'), ['-XAtqc', text], {
      env,
      encoding: 'utf8',
      timeout: ANSWER_MS,
    }).trim()

  return {
    name: 'postgres',

    async start() {
      const user = unprivileged()
      const initdb = programOf('initdb', 'postgresql')
      mkdirSync(sockets)
      for (const one of [folder, sockets]) if (user.uid) chownSync(one, user.uid, user.gid)
      const cluster = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8']
      execFileSync(initdb, cluster, { ...user, env, cwd: folder })
      const settings = ['listen_addresses=', `unix_socket_directories=${sockets}`, 'checkpoint_timeout=30s']
      const args = ['-D', data, '-p', PORT, ...settings.flatMap((one) => ['-c', one])]
      server = launch(programOf('postgres', 'postgresql'), args, { ...user, env, cwd: folder })
      await until('postgres', () => server.output.includes('ready to accept connections'), server)
      const pgbench = programOf('pgbench', 'postgresql')
      execFileSync(pgbench, ['-i', '-q', '-s', '5'], { env, stdio: 'ignore' })
      const load = ['-c', String(CLIENTS), '-j', '2', '-T', String(PGBENCH_SECONDS)]
      bench = launch(pgbench, load, { env })
      await until('pgbench', () => backends().length === CLIENTS && counted() > 0, bench)
    },

    pids: () => [...sql(PIDS).split('\n').map(Number), server.pid],

    async check() {
      const errors = []
      if (backends().length !== CLIENTS) errors.push(`${backends().length} of ${CLIENTS} backends are left`)
      if (bench.ended === null) process.kill(bench.pid, 'SIGALRM')
      await withinTime(bench.exit).catch(() => {})
      if (bench.ended !== 0) errors.push(`pgbench: ${bench.ended ?? 'no end'}: ${lastWords(bench)}`)
      const operations = said(/transactions actually processed: (\d+)/)
      const [a, t, b, delta, count] = sql(SUMS).split('|').map(Number)
      if (a !== t || a !== b || a !== delta) errors.push(`sums of balances: ${[a, t, b, delta].join(', ')}`)
      if (bench.ended === 0 && count !== operations)
        errors.push(`${count} transactions in the history, pgbench made ${operations}`)
      // Before PostgreSQL 15 it ends with an error instead.
      const failed = said(/failed transactions: (\d+)/)
      if (failed > 0) errors.push(`pgbench: ${failed} failed transactions`)
      const bad = server.output
        .split('\n')
        .filter((line) => /\b(ERROR|FATAL|PANIC|terminated by)\b/.test(line))
      if (bad.length > 0) errors.push(`${bad.length} errors in the log: ${bad[0]}`)
      return { operations, errors }
    },

    async stop() {
      await end(bench, 'SIGTERM')
      await end(server, 'SIGINT', 'SIGQUIT')
    },
  }

  function said(pattern) {
    return Number(pattern.exec(bench.output)?.[1] ?? 0)
  }

  function backends() {
    return sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'pgbench'")
      .split('\n')
      .filter(Boolean)
  }

  function counted() {
    return Number(sql('SELECT count(*) FROM pgbench_history'))
  }
}
