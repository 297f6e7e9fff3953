// Serves GET /metrics, and nothing else.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What is served. */
export interface Exposition {
  readonly contentType: string
  text(): Promise<string>
}

export interface MetricsServer {
  /** As it listens, e.g. `http://127.0.0.1:9101/metrics`. */
  readonly url: string
  readonly port: number
  close(): Promise<void>
}

/** Slower clients are cut off. */
const REQUEST_MS = 10_000

/** Listens on `host`:`port` (port 0: any free one). Rejects with the errno error of listen(2), e.g. EADDRINUSE. */
export async function serveMetrics(
  host: string,
  port: number,
  exposition: Exposition,
): Promise<MetricsServer> {
  const server = createServer((request, response) => void answer(request, response, exposition))
  server.requestTimeout = REQUEST_MS
  server.headersTimeout = REQUEST_MS
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const { port: bound } = server.address() as AddressInfo
  const shown = host.includes(':') ? `[${host}]` : host
  return { url: `http://${shown}:${bound}/metrics`, port: bound, close: () => close(server) }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  exposition: Exposition,
): Promise<void> {
  const plain = 'text/plain; charset=utf-8'
  const path = (request.url ?? '').split('?')[0]
  if (path !== '/metrics') return end(response, 404, plain, 'only /metrics is here\n')
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD')
    return end(response, 405, plain, 'only GET\n')
  }
  try {
    end(response, 200, exposition.contentType, await exposition.text())
  } catch (error) {
    end(response, 500, plain, `${error instanceof Error ? error.message : String(error)}\n`)
  }
}

// Node leaves the body away where the request was HEAD.
function end(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
