// A diff as JSON: the document itself.
import type { Diff } from '../../diff/diff.js'

export function renderDiffJson(diff: Diff): string {
  return `${JSON.stringify(diff, null, 2)}\n`
}
