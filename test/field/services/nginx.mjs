// nginx with a master and two workers that compress files on the way; every body's digest is checked.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { askHttp, Load, sha256 } from './load.mjs'
import { childrenOf, end, freePort, lastWords, launch, until } from './own-processes.mjs'
import { programOf } from './programs.mjs'

const WORKERS = 2
const LANES = 8
const FILES = Array.from({ length: 16 }, (_, index) => ({
  name: `${index}.html`,
  text: Array.from({ length: 500 << (index % 5) }, (_, line) => `<p>${index} ${line * line}\n`).join(''),
}))

/** `user nobody` is nginx's own default where it is root. */
const config = (folder, port) => `
daemon off;
worker_processes ${WORKERS};
pid ${folder}/nginx.pid;
error_log stderr warn;
events { worker_connections 64; }
http {
  access_log off;
  types { text/html html; }
  gzip on;
  gzip_comp_level 6;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((one) => `${one}_temp_path ${folder}/${one};`).join(' ')}
  server { listen 127.0.0.1:${port}; root ${folder}/files; }
}
`

export function nginx(folder) {
  let server = null
  let load = null

  return {
    name: 'nginx',

    async start() {
      const port = await freePort()
      chmodSync(folder, 0o755)
      mkdirSync(join(folder, 'files'))
      for (const { name, text } of FILES) writeFileSync(join(folder, 'files', name), text)
      writeFileSync(join(folder, 'nginx.conf'), config(folder, port))
      const args = ['-p', folder, '-e', 'stderr', '-c', join(folder, 'nginx.conf')]
      server = launch(programOf('nginx', 'nginx'), args)
      await until('nginx', () => childrenOf(server.pid).length === WORKERS, server)
      const pages = FILES.map(({ name, text }) => [`http://127.0.0.1:${port}/${name}`, sha256(text)])
      let turn = 0
      load = new Load(Array(LANES).fill(() => askHttp(...pages[turn++ % pages.length])))
      await until('nginx', () => load.operations > LANES, server)
    },

    pids: () => [server.pid, ...childrenOf(server.pid)],

    async check() {
      const { operations, errors } = await load.stop()
      if (server.output !== '') errors.push(`it said: ${lastWords(server)}`)
      return { operations, errors }
    },

    stop: () => end(server, 'SIGTERM'),
  }
}
