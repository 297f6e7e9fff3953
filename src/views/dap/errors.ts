// Every error that a client can be answered with: an id that stays, and a sentence for people.

/** Ids are part of the interface: none is given another meaning. `{…}` is filled in. */
export const ERRORS = {
  defect: { id: 1000, format: 'a defect of arena-inspect: {what}; please report it' },
  unknownRequest: { id: 1001, format: 'arena-inspect does not know the request {command}' },
  badArguments: { id: 1002, format: '{command}: {what}' },
  notOpen: { id: 1003, format: 'nothing is open: launch or attach first' },
  alreadyOpen: { id: 1004, format: '{label} is open already: disconnect first' },
  nothingNamed: {
    id: 1005,
    format: 'name what to inspect: "core" (a core file), "pid" (a live process) or "report" (a snapshot)',
  },
  cannotOpen: { id: 1006, format: '{what}; {hint}' },
  cancelled: { id: 1007, format: 'cancelled' },
  noSuchThread: { id: 1010, format: 'there is no thread {id}' },
  noSuchFrame: { id: 1011, format: 'there is no frame {id}: ask for the stack again' },
  noSuchVariables: { id: 1012, format: 'there are no variables {id}: ask for the scopes again' },
  noCode: { id: 1013, format: '{why}' },
  noException: { id: 1014, format: 'no signal ended it: {why}' },
  badAddress: { id: 1015, format: '{text} is no address: give it as 0x… in hexadecimal' },
  doesNotRun: { id: 1016, format: '{command}: {label} is only looked at and never run or changed' },
  refused: { id: 1017, format: '{what}' },
  gdbFailed: { id: 1018, format: '{what}; {hint}' },
  noSuchSource: { id: 1019, format: 'there is no source {path} here by debug information' },
  usage: { id: 1020, format: '{what}; {hint}' },
  notAnExpression: { id: 1021, format: '{text} is no address, and for names: {why}' },
  tooMuch: { id: 1022, format: '{what}: at most {most} a request' },
  malformed: {
    id: 1023,
    format: 'a message that is not of the debug adapter protocol was passed over: {what}',
  },
} as const

export type ErrorName = keyof typeof ERRORS

/** Ends a request with an answer of the table. */
export class DapError extends Error {
  override readonly name = 'DapError'
  constructor(
    readonly kind: ErrorName,
    readonly variables: Readonly<Record<string, string>> = {},
  ) {
    super(fillIn(ERRORS[kind].format, variables))
  }

  get id(): number {
    return ERRORS[this.kind].id
  }

  get format(): string {
    return ERRORS[this.kind].format
  }
}

function fillIn(format: string, variables: Readonly<Record<string, string>>): string {
  return format.replace(/\{(\w+)\}/g, (whole, name: string) => variables[name] ?? whole)
}
