// Findings of two reports, rule by rule.
import type { Finding, Severity } from '../findings/finding.js'
import { reaches } from '../findings/rules.js'
import type { DiffFinding } from './diff.js'

const ORDER: readonly DiffFinding['state'][] = ['new', 'worse', 'same', 'better', 'gone']

/** New and worse ones first. */
export function compareFindings(a: readonly Finding[], b: readonly Finding[]): DiffFinding[] {
  const rules = new Set([...b, ...a].map(({ rule }) => rule))
  return [...rules]
    .map((rule): DiffFinding => {
      const from = a.find((finding) => finding.rule === rule)
      const to = b.find((finding) => finding.rule === rule)
      return {
        rule,
        state: stateOf(from?.severity ?? null, to?.severity ?? null),
        severityInA: from?.severity ?? null,
        severityInB: to?.severity ?? null,
        titleInA: from?.title ?? null,
        titleInB: to?.title ?? null,
      }
    })
    .sort((one, other) => ORDER.indexOf(one.state) - ORDER.indexOf(other.state))
}

function stateOf(from: Severity | null, to: Severity | null): DiffFinding['state'] {
  if (from === null) return 'new'
  if (to === null) return 'gone'
  if (from === to) return 'same'
  return reaches(to, from) ? 'worse' : 'better'
}
