// Why nothing is run inside a process: said in one line with the next step, before anything was changed.

export type RefusalCode =
  | 'stopped'
  | 'traced'
  | 'uninterruptible'
  | 'seccomp-strict'
  | 'seccomp-filter'
  | 'architecture'
  | 'not-glibc'
  | 'no-symbol'
  | 'arena-locked'
  | 'in-malloc'
  | 'no-stack'
  | 'no-python'
  | 'no-host'
  | 'shadow-stack'
  | 'not-traceable'
  | 'broken'
  | 'latched'
  | 'aborted'
  | 'gone'
  | 'other'

/** Nothing was called in the process, or all that was changed has been put back; `hint` is the next step. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  constructor(
    readonly code: RefusalCode,
    message: string,
    readonly hint: string,
  ) {
    super(message)
  }
}
