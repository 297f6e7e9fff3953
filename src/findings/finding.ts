// What a rule says of a target.
export type Severity = 'info' | 'warning' | 'critical'

/** One measured fact behind a finding. `value` null: could not be known. */
export interface Evidence {
  readonly label: string
  readonly value: number | string | null
  readonly unit: 'bytes' | 'count' | 'percent' | 'text'
}

/** One way to put it right, as exact text for the glibc at hand. */
export interface Fix {
  /** A variable of the environment, one that holds a tunable, a call of malloc.h in the program, or a command to run. */
  readonly how: 'environment' | 'tunable' | 'mallopt' | 'command'
  /** To be copied as it is, e.g. `MALLOC_ARENA_MAX=8`. */
  readonly text: string
  /** True where it acts only on a program that is started anew. */
  readonly restart: boolean
  /** What it does or asks for; null when there is nothing to add. */
  readonly note: string | null
}

/** What a figure is expected to become once the fix is made. Bytes. */
export interface Estimate {
  /** Which figure, and as it is today. */
  readonly what: string
  readonly nowBytes: number
  readonly lowBytes: number
  readonly highBytes: number
  /** What it cannot pass, even where the assumption does not hold. */
  readonly mostBytes: number
  /** What lowBytes and highBytes rest on. */
  readonly assumption: string
}

/** One rule's verdict with its evidence and the next thing to do. */
export interface Finding {
  /** The rule's kebab-case name; its file in rules/ has the same name. */
  readonly rule: string
  readonly severity: Severity
  /** One sentence: the verdict. */
  readonly title: string
  readonly evidence: readonly Evidence[]
  /** One sentence: what to do, with the exact setting or command. */
  readonly nextStep: string
  /** Best first. */
  readonly fixes?: readonly Fix[]
  /** Why it came to this. */
  readonly why?: string
  readonly estimate?: Estimate
}
