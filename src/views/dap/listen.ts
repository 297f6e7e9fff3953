// Debug adapters on a port of this machine only, one a connection, several at once.
import { readFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { Adapter } from './adapter.js'
import type { DapServices } from './services.js'

const HOST = '127.0.0.1'

/**
 * Listens on `port` (0: one that is free); resolves with the server once it does. Other users of this machine are not
 * let in: a client chooses what is opened, and which gdb is run.
 */
export async function listen(port: number, services: DapServices): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    if (!isOurs(socket)) {
      socket.destroy()
      return
    }
    socket.setNoDelay(true)
    const adapter = new Adapter(services)
    adapter.serve(socket, socket, true)
    void adapter.ended.then(() => socket.end())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, HOST, resolve)
  })
  return server
}

// The kernel's table of connections names the user of each end.
function isOurs({ remotePort, localPort }: Socket): boolean {
  const uid = process.getuid?.()
  if (uid === undefined || remotePort === undefined || localPort === undefined) return false
  const port = (value: number) => value.toString(16).toUpperCase().padStart(4, '0')
  const ends = `0100007F:${port(remotePort)} 0100007F:${port(localPort)}`
  let table: string
  try {
    table = readFileSync('/proc/net/tcp', 'latin1')
  } catch {
    return false
  }
  const line = table.split('\n').find((text) => text.includes(ends))
  const owner = Number(line?.trim().split(/\s+/)[7])
  return owner === uid || owner === 0
}
