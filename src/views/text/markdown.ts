// Text of a target inside of Markdown (GitHub's): shown as it is, in paragraphs, tables and code.
import { printable } from '../../format/printable.js'
import type { Align } from './plain-table.js'

/** Cells are Markdown already. */
export function markdownTable(
  columns: readonly (readonly [title: string, align: Align])[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [
    line(columns.map(([title]) => title)),
    line(columns.map(([, align]) => (align === 'right' ? '---:' : '---'))),
    ...rows.map(line),
  ].join('\n')
}

/** Text that Markdown shows as it is: no markup, no HTML, no link, nobody is called by `@name`. */
export function plain(text: string): string {
  return printable(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('@', '&#64;')
    .replaceAll('://', '&#58;//')
    .replaceAll(/\bwww\./gi, (www) => `${www.slice(0, 3)}&#46;`)
    .replaceAll(/[\\`*_{}[\]>#|~!]/g, '\\$&')
}

/** A code span, also in a table. */
export function code(text: string): string {
  const shown = printable(text).replaceAll('|', '\\|')
  const longest = Math.max(0, ...[...shown.matchAll(/`+/g)].map(([ticks]) => ticks.length))
  const fence = '`'.repeat(longest + 1)
  const pad = longest > 0 || shown === '' || shown.startsWith(' ') ? ' ' : ''
  return `${fence}${pad}${shown}${pad}${fence}`
}
