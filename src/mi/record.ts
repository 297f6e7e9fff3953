// gdb/MI output records as data.

/** `name=value`, or a bare value inside a list (name null). Names may repeat. */
export interface MiResult {
  readonly name: string | null
  readonly value: MiValue
}

export interface MiTuple {
  readonly kind: 'tuple'
  readonly results: readonly MiResult[]
}

export interface MiList {
  readonly kind: 'list'
  readonly results: readonly MiResult[]
}

/** A string is a c-string with its escapes undone and its bytes taken as UTF-8. */
export type MiValue = string | MiTuple | MiList

/** The answer to a command. */
export interface ResultRecord {
  readonly type: 'result'
  readonly token: number | null
  readonly resultClass: string
  readonly results: readonly MiResult[]
}

/** Something happened: `*` exec, `+` status, `=` notify. */
export interface AsyncRecord {
  readonly type: 'exec' | 'status' | 'notify'
  readonly token: number | null
  readonly asyncClass: string
  readonly results: readonly MiResult[]
}

/** Text: `~` console, `@` target, `&` log. Bytes, because gdb may cut a UTF-8 character in two records. */
export interface StreamRecord {
  readonly type: 'console' | 'target' | 'log'
  readonly bytes: Uint8Array
}

export interface PromptRecord {
  readonly type: 'prompt'
}

export type MiRecord = ResultRecord | AsyncRecord | StreamRecord | PromptRecord

/** The first value named `name`, or undefined. */
export function field(results: readonly MiResult[], name: string): MiValue | undefined {
  return results.find((result) => result.name === name)?.value
}

/** The first value named `name` when it is a string, else undefined. */
export function textField(results: readonly MiResult[], name: string): string | undefined {
  const value = field(results, name)
  return typeof value === 'string' ? value : undefined
}

/** What is inside the tuple or list named `name`; empty when there is none. */
export function insideField(results: readonly MiResult[], name: string): readonly MiResult[] {
  const value = field(results, name)
  return value === undefined || typeof value === 'string' ? [] : value.results
}
