// A table of a report in the file: its headings, its first rows, and what the script needs to show all of them.
import { countText } from '../../../format/sizes.js'
import { type Html, html } from '../page.js'
import { cellHint, cellText, isNumeric } from './cell-text.js'
import type { Column, ReportTable } from './report-data.js'

/** Rows that are there without a script, and on paper until the script puts more. */
const FIRST_ROWS = 15

export function tableHtml(table: ReportTable, title: string, about: string): Html {
  const { id, rows, rowName, sorted } = table
  const columns = Object.entries(table.columns).filter(([, { hidden }]) => !hidden)
  const first = Array.from({ length: Math.min(rows, FIRST_ROWS) }, (_, row) => row)
  const more = rows - first.length
  return html`<section class="table" id="${id}"><h2>${title}</h2><p class="soft">${about}</p>
<p class="controls" hidden><label>filter <input type="search" aria-controls="${id}-rows" placeholder="text, or &gt;1M" spellcheck="false"></label> <span class="soft count" role="status">${countText(rows)} ${rowName[rows === 1 ? 0 : 1]}</span></p>
<div class="rows scroll" tabindex="0" role="region" aria-label="${title}"><table id="${id}-rows" aria-rowcount="${rows + 1}"><thead><tr aria-rowindex="1">${columns.map(
    ([key, column]) =>
      html`<th scope="col" data-column="${key}"${isNumeric(column) ? html` class="number"` : ''}${sorted?.column === key ? html` aria-sort="${sorted.direction}"` : ''}><button type="button">${column.title === '' ? html`<span class="hint">${key}</span>` : column.title}</button></th>`,
  )}</tr></thead>
<tbody>${first.map((row) => html`<tr>${columns.map(([, column]) => cell(column, row))}</tr>`)}</tbody></table></div>
<p class="soft more">${more > 0 ? `the first ${countText(first.length)} of ${countText(rows)}` : ''}</p></section>`
}

function cell(column: Column, row: number): Html {
  const hint = cellHint(column, row)
  const names = [isNumeric(column) ? 'number' : '', column.kind === 'address' ? 'mono' : ''].filter(
    (name) => name !== '',
  )
  return html`<td${names.length > 0 ? html` class="${names.join(' ')}"` : ''}${hint === null ? '' : html` title="${hint}"`}>${cellText(column, row)}</td>`
}
