// A table of any number of rows: only those in view are in the document. Sorted by its headings, filtered by its field.
import { countText } from '../../../../format/sizes.js'
import { cellHint, cellText, isNumeric } from '../../report/cell-text.js'
import type { Column, ReportTable } from '../../report/report-data.js'
import { type Direction, filteredRows, sortedRows } from './row-order.js'

/** Rows above and below what is in view. */
const SPARE_ROWS = 12
const PRINTED_ROWS = 60

export class VirtualTable {
  readonly element: HTMLElement
  readonly #table: ReportTable
  readonly #columns: readonly (readonly [string, Column])[]
  readonly #scroller: HTMLElement
  readonly #body: HTMLTableSectionElement
  readonly #field: HTMLInputElement
  #order: { key: string; direction: Direction } | null
  #rows: Uint32Array
  #rowHeight = 0
  #isPrinting = false
  #pending = 0

  constructor(table: ReportTable) {
    this.#table = table
    this.element = document.getElementById(table.id)!
    this.#scroller = this.element.querySelector('.rows')!
    this.#body = this.element.querySelector('tbody')!
    this.#field = this.element.querySelector('input')!
    this.#columns = Object.entries(table.columns).filter(([, { hidden }]) => !hidden)
    this.#order = table.sorted ? { key: table.sorted.column, direction: table.sorted.direction } : null
    this.#rows = filteredRows(table, '')
    this.#setWidths()
    this.#listen()
    this.#draw()
  }

  /** Shows the rows that `text` names. */
  filter(text: string): void {
    this.#field.value = text
    this.#reorder()
  }

  /** On paper: the first rows in their order, without a window to scroll in. */
  setPrinting(isPrinting: boolean): void {
    this.#isPrinting = isPrinting
    this.#draw()
  }

  #listen(): void {
    const draw = () => {
      cancelAnimationFrame(this.#pending)
      this.#pending = requestAnimationFrame(() => this.#draw())
    }
    this.#scroller.addEventListener('scroll', draw, { passive: true })
    new ResizeObserver(draw).observe(this.#scroller)
    this.#field.addEventListener('input', () => this.#reorder())
    for (const head of this.element.querySelectorAll<HTMLElement>('th[data-column]')) {
      head.querySelector('button')!.addEventListener('click', () => this.#sortBy(head.dataset.column!))
    }
  }

  #sortBy(key: string): void {
    const first: Direction = isNumeric(this.#table.columns[key]!) ? 'descending' : 'ascending'
    const other: Direction = first === 'ascending' ? 'descending' : 'ascending'
    this.#order = {
      key,
      direction: this.#order?.key === key && this.#order.direction === first ? other : first,
    }
    for (const head of this.element.querySelectorAll<HTMLElement>('th[data-column]')) {
      if (head.dataset.column === key) head.setAttribute('aria-sort', this.#order.direction)
      else head.removeAttribute('aria-sort')
    }
    this.#reorder()
  }

  #reorder(): void {
    const { rows, rowName, columns } = this.#table
    const kept = filteredRows(this.#table, this.#field.value)
    this.#rows = this.#order ? sortedRows(kept, columns[this.#order.key]!, this.#order.direction) : kept
    const of = kept.length === rows ? '' : `${countText(kept.length)} of `
    this.element.querySelector('.count')!.textContent =
      `${of}${countText(rows)} ${rowName[rows === 1 ? 0 : 1]}`
    this.#scroller.scrollTop = 0
    this.#draw()
  }

  #draw(): void {
    const all = this.#rows.length
    const [from, to] = this.#isPrinting ? [0, Math.min(all, PRINTED_ROWS)] : this.#window()
    const rows: HTMLElement[] = []
    for (let at = from; at < to; at++) rows.push(this.#row(at))
    const gap = (count: number) => (count > 0 && !this.#isPrinting ? [this.#gap(count)] : [])
    this.#body.replaceChildren(...gap(from), ...rows, ...gap(all - to))
    this.#rowHeight = rows[0]?.getBoundingClientRect().height || this.#rowHeight
    const cut = this.#isPrinting && all > to
    this.element.querySelector('.more')!.textContent = cut
      ? `the first ${countText(to)} of ${countText(all)}`
      : ''
  }

  #window(): readonly [from: number, to: number] {
    // Nothing was measured yet: as many as there may be in view.
    const height = this.#rowHeight || 28
    const first = Math.floor(this.#scroller.scrollTop / height)
    const inView = Math.ceil(this.#scroller.clientHeight / height)
    const to = Math.min(this.#rows.length, first + inView + SPARE_ROWS)
    return [Math.max(0, Math.min(first, to) - SPARE_ROWS), to]
  }

  #gap(count: number): HTMLElement {
    const row = document.createElement('tr')
    row.className = 'gap'
    row.setAttribute('aria-hidden', 'true')
    const cell = row.appendChild(document.createElement('td'))
    cell.colSpan = this.#columns.length
    cell.style.height = `${count * (this.#rowHeight || 28)}px`
    return row
  }

  #row(at: number): HTMLElement {
    const row = document.createElement('tr')
    row.setAttribute('aria-rowindex', String(at + 2))
    const index = this.#rows[at]!
    for (const [, column] of this.#columns) {
      const cell = row.appendChild(document.createElement('td'))
      cell.textContent = cellText(column, index)
      if (isNumeric(column)) cell.className = 'number'
      else if (column.kind === 'address') cell.className = 'mono'
      const hint = cellHint(column, index)
      if (hint !== null) cell.title = hint
    }
    return row
  }

  // Fixed, so that columns stay where they are while rows come and go. A text that is last takes what is left.
  #setWidths(): void {
    const table = this.element.querySelector('table')!
    const [, lastColumn] = this.#columns[this.#columns.length - 1]!
    const growing = isNumeric(lastColumn) || lastColumn.kind === 'address' ? -1 : this.#columns.length - 1
    const group = document.createElement('colgroup')
    let sum = 0
    this.#columns.forEach(([key, column], at) => {
      const width = Math.min(42, Math.max((column.title || key).length + 2, longest(column))) + 3.2
      const col = group.appendChild(document.createElement('col'))
      if (at !== growing) col.style.width = `${width}ch`
      sum += width
    })
    table.prepend(group)
    table.style.tableLayout = 'fixed'
    table.style.minWidth = `${sum}ch`
    if (growing < 0) table.style.width = `${sum}ch`
    this.#scroller.classList.toggle('narrow', growing < 0)
  }
}

// In characters of the page's letters.
function longest(column: Column): number {
  if (column.kind === 'word') return column.words.reduce((most, word) => Math.max(most, word.length), 1)
  if (column.kind === 'bytes') return 10
  if (column.kind === 'percent') return 7
  let most = 1
  for (let row = 0; row < column.values.length; row++) {
    const value = column.values[row] ?? null
    if (value === null) most = Math.max(most, 7)
    else if (typeof value === 'string')
      most = Math.max(most, value.length + (column.kind === 'address' ? 4 : 0))
    else most = Math.max(most, cellText(column, row).length)
  }
  return most
}
