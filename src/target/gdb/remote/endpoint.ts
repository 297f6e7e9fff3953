// HOST:PORT of a gdb stub, as the user names it and as gdb takes it.
import { TargetError } from '../../target.js'

/** Where a stub listens. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** Nothing else reaches gdb, for which a word with `|` would be a command to run, and one with `/` a device. */
const NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?$/
const IPV6 = /^[0-9a-fA-F:.]{2,45}(%[A-Za-z0-9._-]{1,15})?$/

/** `HOST:PORT`, `:PORT` for this machine, or `[IPV6]:PORT`. Throws TargetError. */
export function parseEndpoint(text: string): Endpoint {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text)
  const [, bracketed, plain, digits] = match ?? []
  const port = Number(digits)
  const host = bracketed ?? (plain === '' ? 'localhost' : plain)
  const isHost =
    host !== undefined &&
    (bracketed === undefined ? NAME.test(host) : IPV6.test(bracketed) && bracketed.includes(':'))
  if (!isHost || !(port >= 1 && port <= 65_535)) {
    throw new TargetError(
      `${JSON.stringify(text.slice(0, 80))} is not HOST:PORT`,
      'e.g. --gdb-remote 10.0.0.7:2345, or [::1]:2345, for a `gdbserver --attach :2345 PID` there',
    )
  }
  return { host, port }
}

/** As the user reads it. */
export function endpointText({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** As gdb's `target remote` takes it. */
export function endpointForGdb(endpoint: Endpoint): string {
  return `${endpoint.host.includes(':') ? 'tcp6' : 'tcp'}:${endpointText(endpoint)}`
}
