// A diff for people at a terminal: the verdict in a line, then what grew, table by table.
import { createColors } from 'picocolors'
import type { Diff, DiffSide } from '../../diff/diff.js'
import { type DiffTable, diffTables, type TableOptions, verdictOf } from '../../diff/diff-tables.js'
import { bar } from '../../format/bars.js'
import { printable } from '../../format/printable.js'
import { plainTable } from './plain-table.js'

const BAR_CELLS = 20

/** Ends with a newline. */
export function renderDiffText(diff: Diff, options: TableOptions & { readonly color: boolean }): string {
  const colors = createColors(options.color)
  const parts = [
    [
      colors.bold(`A ${sideText(diff.a)}`),
      colors.bold(`B ${sideText(diff.b)}`),
      diff.sameProcess
        ? 'the same process: arenas are matched by address, threads by id'
        : 'not the same process: arenas are matched by their position, threads by name',
    ].join('\n'),
    ` ${verdictOf(diff)}`,
    ...diffTables(diff, options).map(tableText),
    ...(diff.problems.length > 0
      ? [[colors.yellow(' Notes'), ...diff.problems.map((problem) => `   ${printable(problem)}`)].join('\n')]
      : []),
  ]
  return `${parts.join('\n\n')}\n`
}

/** `arena-bloat · core.6 · pid 6 · glibc 2.36`. */
export function sideText({ executable, label, kind, pid, glibcVersion, complete }: DiffSide): string {
  const name = executable?.split('/').at(-1)
  return [
    ...(name === undefined ? [] : [printable(name)]),
    printable(label),
    ...(kind === 'core' && pid !== null ? [`pid ${pid}`] : []),
    ...(glibcVersion === null ? [] : [`glibc ${glibcVersion}`]),
    ...(complete ? [] : ['partial']),
  ].join(' · ')
}

function tableText({ title, columns, texts, rows, left }: DiffTable): string {
  const largest = rows.reduce((most, { grew }) => Math.max(most, grew ?? 0), 0)
  const head = columns.map((column, index) => ({
    title: index === 0 ? ` ${title}` : column,
    align: index === 0 || texts?.has(index) ? ('left' as const) : ('right' as const),
  }))
  const lines = rows.map(({ cells, grew }) => [
    `   ${printable(cells[0]!)}`,
    ...cells.slice(1).map(printable),
    largest > 0 ? bar((grew ?? 0) / largest, BAR_CELLS) : '',
  ])
  const more = left > 0 ? `\n   … and ${left} more: --limit` : ''
  return `${plainTable([...head, { title: '', align: 'left' }], lines)}${more}`
}
