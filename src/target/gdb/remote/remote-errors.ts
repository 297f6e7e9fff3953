// What goes wrong between gdb and a stub: one line, and what to do next.
import { printable } from '../../../format/printable.js'
import { TargetError } from '../../target.js'

/** As gdb-scripts/arena_inspect_remote.py words a failure. */
export interface Complaint {
  readonly code: string
  /** gdb's words. */
  readonly why: string
}

const MOST_SHOWN = 200

/** The connection to `where` (HOST:PORT) did not come about; `why` is gdb's message. */
export function connectError(where: string, why: string): TargetError {
  const line = lastLine(why)
  if (/refused/i.test(line)) {
    return new TargetError(
      `${where} refused the connection: nothing listens there`,
      'start `gdbserver --attach :PORT PID` there; one that another gdb is connected to, or that ended with --once, takes no connection',
    )
  }
  if (/resolve|name or service|no such file/i.test(line))
    return new TargetError(`${where}: no such host`, 'check the name, or give the IP address')
  if (/unreachable|no route|timed out|timeout/i.test(line)) {
    return new TargetError(
      `${where} cannot be reached: ${line}`,
      'check the address and the firewall; `ssh -L PORT:localhost:PORT HOST` makes a way to it',
    )
  }
  if (/truncated register|remote 'g' packet|unknown architecture|architecture/i.test(why)) {
    return new TargetError(
      `this gdb does not know the machine behind ${where}: ${line}`,
      'apt-get install gdb-multiarch, then --gdb gdb-multiarch',
    )
  }
  return new TargetError(
    `no gdb stub answers at ${where}: ${line}`,
    'the port must be that of gdbserver (`gdbserver --attach :PORT PID`)',
  )
}

/** A connection that stood is over, or cannot serve. */
export function lostError(where: string, { code, why }: Complaint): TargetError {
  const said = lastLine(why)
  switch (code) {
    case 'no-process':
      return new TargetError(
        `the stub at ${where} has no process`,
        'name one with --pid N, as its machine numbers it; a gdbserver lets go of its process when the first connection ends',
      )
    case 'other-process':
      return new TargetError(
        `the stub at ${where} is at process ${said}, not at the one that --pid names`,
        'leave out --pid',
      )
    case 'gone':
      return new TargetError(
        `${where} cannot stop the process: ${said}`,
        'it may have ended, have a debugger already, or belong to another user; see the output of gdbserver there',
      )
    case 'silent':
      return new TargetError(
        `${where} does not answer`,
        'is it a gdbserver, and does no other debugger hold it? If its process stands still now, connect again or end gdbserver there',
      )
    case 'gdb':
      return new TargetError(
        `gdb ended while it read from ${where}${said ? `: ${said}` : ''}`,
        'if the process stands still now, connect again or end gdbserver there; --debug shows what gdb said',
      )
    default:
      return new TargetError(
        `the connection to ${where} was lost: ${said}`,
        'the process runs on if gdbserver ended; if it stands still, connect again',
      )
  }
}

/** A stub can make gdb say anything. */
function lastLine(text: string): string {
  const line = printable(text.trim().split('\n').at(-1) ?? '').trim()
  return line.length > MOST_SHOWN ? `${line.slice(0, MOST_SHOWN)}…` : line
}
