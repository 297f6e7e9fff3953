// A diff as one HTML file: the verdict, then what grew, with bars to the right for growth and to the left for what shrank.
import type { Diff, DiffSide } from '../../diff/diff.js'
import { type DiffTable, diffTables, type TableOptions, verdictOf } from '../../diff/diff-tables.js'
import { type Html, html, htmlPage } from './page.js'

export function diffPage(diff: Diff, options: TableOptions): string {
  const names = [diff.a, diff.b].map(({ executable }) => executable?.split('/').at(-1) ?? 'process')
  const title = names[0] === names[1] ? names[0]! : names.join(' and ')
  const body = html`<h1>${title}: what grew from A to B</h1>
<p class="verdict">${verdictOf(diff)}</p>
<div class="scroll"><table class="sides"><tbody>${sideRow('A', diff.a)}${sideRow('B', diff.b)}</tbody></table></div>
<p class="soft">${diff.sameProcess ? 'The same process: arenas are matched by address, threads by id.' : 'Not the same process: arenas are matched by their position, threads by name.'} Tables show what changed, bars how much; what one side does not know is unknown.</p>
${diff.problems.length > 0 ? html`<ul class="problems">${diff.problems.map((problem) => html`<li>${problem}</li>`)}</ul>` : ''}
${diffTables(diff, options).map(tableHtml)}`
  return htmlPage({ title: `${title}: what grew`, body, style: CSS })
}

const CSS = `.verdict { font-size: 1.15rem; border-left: 4px solid var(--warning); padding: .25rem 1rem }
.sides th { width: 2rem } .problems { color: var(--warning) }
td.number { white-space: nowrap } td.bar { width: 30%; min-width: 8rem }
svg.bar { display: block; width: 100%; height: .9rem } svg.bar .grew { fill: var(--free) } svg.bar .shrank { fill: var(--live) }
svg.bar line { stroke: var(--line); stroke-width: .5 }
.new, .worse { color: var(--critical); font-weight: 600 } .gone, .better { color: var(--live) }`

function sideRow(name: string, { label, executable, kind, pid, glibcVersion, complete }: DiffSide): Html {
  const what = kind === 'core' ? 'core' : 'live process'
  return html`<tr><th>${name}</th><td>${label}</td><td>${what}${pid === null ? '' : `, pid ${pid}`}</td><td>${executable ?? ''}</td><td>${glibcVersion === null ? '' : `glibc ${glibcVersion}`}</td><td>${complete ? '' : 'partial'}</td></tr>`
}

function tableHtml({ title, columns, texts, rows, left }: DiffTable): Html {
  const most = rows.reduce((largest, { grew }) => Math.max(largest, Math.abs(grew ?? 0)), 0)
  const isNumber = (column: number) => column > 0 && !texts?.has(column)
  const cellHtml = (text: string, column: number) =>
    isNumber(column)
      ? html`<td class="number">${text}</td>`
      : html`<td class="${texts?.has(column) ? text : ''}">${text}</td>`
  return html`<h2>${title}</h2>
<div class="scroll"><table><thead><tr>${columns.map((column, index) => html`<th class="${isNumber(index) ? 'number' : ''}">${column}</th>`)}${most > 0 ? html`<th></th>` : ''}</tr></thead>
<tbody>${rows.map(({ cells, grew }) => html`<tr>${cells.map(cellHtml)}${most > 0 ? html`<td class="bar">${bar(grew, most)}</td>` : ''}</tr>`)}</tbody></table></div>
${left > 0 ? html`<p class="soft">… and ${left} more.</p>` : ''}`
}

// From the middle: half of the width is the largest change of the table.
function bar(grew: number | null, most: number): Html {
  const width = (50 * Math.abs(grew ?? 0)) / most
  const start = grew !== null && grew < 0 ? 50 - width : 50
  const shape =
    width === 0
      ? ''
      : html`<rect class="${grew! > 0 ? 'grew' : 'shrank'}" x="${start.toFixed(3)}" y="1" width="${width.toFixed(3)}" height="8"/>`
  return html`<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">${shape}<line x1="50" y1="0" x2="50" y2="10"/></svg>`
}
