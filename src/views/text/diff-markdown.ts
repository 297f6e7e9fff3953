// A diff for a ticket: Markdown (GitHub's), the verdict first, nothing of the target but as text.
import type { Diff, DiffSide } from '../../diff/diff.js'
import { type DiffTable, diffTables, type TableOptions, verdictOf } from '../../diff/diff-tables.js'
import { sideText } from './diff-text.js'
import { markdownTable, plain } from './markdown.js'

/** Ends with a newline. */
export function renderDiffMarkdown(diff: Diff, options: TableOptions): string {
  const parts = [
    [
      `**${plain(verdictOf(diff))}**`,
      `A: ${side(diff.a)}`,
      `B: ${side(diff.b)}`,
      diff.sameProcess ? 'The same process.' : 'Not the same process: arenas by position, threads by name.',
    ].join('\\\n'),
    ...diffTables(diff, options).flatMap((table) => [`## ${table.title}`, tablePart(table)]),
    ...(diff.problems.length > 0
      ? ['## Notes', diff.problems.map((problem) => `- ${plain(problem)}`).join('\n')]
      : []),
  ]
  return `${parts.join('\n\n')}\n`
}

function side(of: DiffSide): string {
  return plain(sideText(of))
}

function tablePart({ columns, texts, rows, left }: DiffTable): string {
  const head = columns.map((title, index) => {
    return [title, index === 0 || texts?.has(index) ? 'left' : 'right'] as const
  })
  const table = markdownTable(
    head,
    rows.map(({ cells }) => cells.map(plain)),
  )
  return left > 0 ? `${table}\n\n… and ${left} more.` : table
}
