// What a rule says of a target.
export type Severity = 'info' | 'warning' | 'critical'

/** One measured fact behind a finding. `value` null: could not be known. */
export interface Evidence {
  readonly label: string
  readonly value: number | string | null
  readonly unit: 'bytes' | 'count' | 'percent' | 'text'
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
}
