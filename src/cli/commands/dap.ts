// `arena-inspect dap`: the debug adapter, on stdin and stdout or on a port of this machine.
import type { AddressInfo } from 'node:net'
import type { Command } from 'commander'
import { UsageError } from '../exit.js'
import { say } from '../terminal.js'

export interface DapOptions {
  readonly listen?: string
  readonly gdb: string
}

/** Adds `dap`. */
export function addDap(root: Command): void {
  root
    .command('dap')
    .description('debug adapter for editors: a core or a live process with its arenas as variables')
    .option(
      '--listen <port>',
      'on this port of this machine instead of stdin and stdout; 0: any that is free',
    )
    .option('--gdb <path>', 'the gdb to run where a client names no other', 'gdb')
    .addHelpText('after', '\nExamples:\n  arena-inspect dap\n  arena-inspect dap --listen 4711\n')
    .action(runDap)
}

async function runDap({ listen: port, gdb }: DapOptions): Promise<void> {
  // Loaded late: no other command needs them.
  const { dapServices } = await import('../dap-services.js')
  const services = dapServices(gdb)
  if (port === undefined) {
    const { Adapter } = await import('../../views/dap/adapter.js')
    const adapter = new Adapter(services)
    adapter.serve(process.stdin, process.stdout, false)
    await adapter.ended
    process.stdin.destroy()
    return
  }
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535)
    throw new UsageError(
      `--listen takes a port, not ${JSON.stringify(port)}`,
      'e.g. --listen 4711, or 0 for any',
    )
  const { listen } = await import('../../views/dap/listen.js')
  const server = await listening(listen(Number(port), services), port)
  say(`listening on 127.0.0.1:${(server.address() as AddressInfo).port}; Ctrl-C ends it`)
  await new Promise((resolve) => server.once('close', resolve))
}

async function listening<T>(server: Promise<T>, port: string): Promise<T> {
  try {
    return await server
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
    throw new UsageError(
      `cannot listen on port ${port} (${String(error.code)})`,
      'choose another, or 0 for any',
    )
  }
}
