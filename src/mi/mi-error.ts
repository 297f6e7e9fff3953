// What goes wrong between us and gdb, as one error class.

/** `not-found`: no such program; `refused`: gdb said ^error; `timeout`; `died`: gdb ended; `protocol`: not MI. */
export type MiErrorKind = 'not-found' | 'refused' | 'timeout' | 'died' | 'protocol' | 'closed' | 'usage'

const HINTS: Record<MiErrorKind, string> = {
  'not-found': 'apt-get install gdb',
  refused: 'see the message of gdb',
  timeout: 'allow gdb more time, or see in the transcript where it stopped',
  died: 'see the end of the transcript; run the same gdb by hand',
  protocol: 'check that the program is gdb 8 or newer',
  closed: 'the session is over; start a new one',
  usage: 'a command is one line',
}

/** A gdb command failed. `gdbMessage` is gdb's own words where there are some. */
export class MiError extends Error {
  override readonly name = 'MiError'
  constructor(
    readonly kind: MiErrorKind,
    readonly command: string,
    readonly gdbMessage: string,
    readonly hint: string = HINTS[kind],
  ) {
    super(command === '' ? gdbMessage : `${shorten(command)}: ${gdbMessage}`)
  }
}

/** Fit for a message: one line, no control characters, no thousand addresses. */
function shorten(command: string): string {
  const shown = command.length <= 200 ? command : `${command.slice(0, 200)}…`
  return shown.replace(/\p{Cc}/gu, '?')
}
