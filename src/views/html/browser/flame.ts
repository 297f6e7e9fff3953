// Draws a trace: the flame graph of its stacks, its calls over time; and sorts its tables.
import { flamegraph } from 'd3-flame-graph'
import styleSheet from 'd3-flame-graph/dist/d3-flamegraph.css'
import { select } from 'd3-selection'
import type { FlameData, FlameNode } from '../flame-data.js'
import { pageData } from './shared/page-data.js'

interface Frame {
  name: string
  value: number
  children: Frame[]
}

interface Drawn {
  readonly data: Frame
}

const data = pageData<FlameData>()
const CELL = 20
const TIME_HEIGHT = 120
const place = document.getElementById('flame')!
const details = document.getElementById('details')!
const find = document.getElementById('find') as HTMLInputElement
let figure: 0 | 1 | 2 = 0

function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10))
  return `${power === 0 ? bytes : (bytes / 1024 ** power).toFixed(1)} ${units[power]}`
}

function frameOf({ name, values, children }: FlameNode): Frame {
  return { name, value: values[figure], children: children.map(frameOf).filter(({ value }) => value > 0) }
}

function depthOf({ children }: FlameNode): number {
  return 1 + children.reduce((most, child) => Math.max(most, depthOf(child)), 0)
}

function textOf({ data: { name, value } }: Drawn): string {
  const total = data.root.values[figure]
  const share = total === 0 ? '' : `, ${((100 * value) / total).toFixed(1)} %`
  return `${name}: ${figure === 1 ? `${value} calls` : bytesText(value)}${share}`
}

// One colour for each module-like name, warm as flames are, and readable under dark letters.
function colourOf(name: string): string {
  let hash = 0
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)!) >>> 0
  return name.startsWith('[')
    ? '#ced4da'
    : `hsl(${20 + (hash % 35)} ${70 + (hash % 20)}% ${62 + (hash % 12)}%)`
}

function draw(): ReturnType<typeof flamegraph> {
  place.replaceChildren()
  const height = (depthOf(data.root) + 1) * CELL
  const chart = flamegraph()
    .width(Math.max(600, place.clientWidth))
    .height(height)
    .cellHeight(CELL)
    .minFrameSize(1)
    .transitionDuration(0)
    .sort(true)
    .label((node: Drawn) => textOf(node))
    .setColorMapper((node: Drawn) => colourOf(node.data.name))
    .setSearchMatch((node: Drawn, term: string) => node.data.name.toLowerCase().includes(term.toLowerCase()))
    .onClick((node: Drawn) => {
      details.textContent = textOf(node)
    })
  select(place).datum(frameOf(data.root)).call(chart)
  chart.setDetailsElement(null)
  // New frames would grow from nothing for a quarter of a second.
  for (const frame of place.querySelectorAll('g.frame')) {
    frame.querySelector('rect')?.setAttribute('width', frame.getAttribute('width') ?? '0')
    const label = frame.querySelector('.d3-flame-graph-label')
    // The library names the group so.
    if (label) label.textContent = frame.getAttribute('name')
  }
  if (find.value !== '') chart.search(find.value)
  return chart
}

function drawTime(): void {
  const time = document.getElementById('time')!
  const width = Math.max(600, time.clientWidth)
  const svg = select(time)
    .append('svg')
    .attr('viewBox', `0 0 ${width} ${TIME_HEIGHT}`)
    .attr('height', TIME_HEIGHT)
  const most = data.moments.reduce((all, [, bytes]) => Math.max(all, bytes), 1)
  const bottom = TIME_HEIGHT - 18
  svg.append('line').attr('x1', 0).attr('x2', width).attr('y1', bottom).attr('y2', bottom)
  svg.append('text').attr('x', 4).attr('y', 12).text(bytesText(most))
  svg
    .append('text')
    .attr('x', 4)
    .attr('y', TIME_HEIGHT - 5)
    .text('0 s')
  svg
    .append('text')
    .attr('x', width - 4)
    .attr('y', TIME_HEIGHT - 5)
    .attr('text-anchor', 'end')
    .text(`${(data.lengthMs / 1000).toFixed(1)} s`)
  for (const [atMs, bytes, birth] of data.moments) {
    const height = Math.max(2, (bytes / most) * (bottom - 16))
    svg
      .append('rect')
      .attr('class', birth ? 'birth' : 'map')
      .attr('x', (atMs / data.lengthMs) * (width - 3))
      .attr('y', bottom - height)
      .attr('width', 2)
      .attr('height', height)
      .append('title')
      .text(`${(atMs / 1000).toFixed(3)} s: ${bytesText(bytes)}${birth ? ', a malloc heap' : ''}`)
  }
}

function sortable(table: HTMLTableElement): void {
  table.querySelectorAll('th').forEach((head, column) => {
    head.querySelector('button')?.addEventListener('click', () => {
      const isUp = head.getAttribute('aria-sort') === 'descending'
      for (const other of table.querySelectorAll('th')) other.removeAttribute('aria-sort')
      head.setAttribute('aria-sort', isUp ? 'ascending' : 'descending')
      const body = table.tBodies[0]!
      const value = (row: HTMLTableRowElement) => Number(row.cells[column]!.dataset.value)
      const rows = [...body.rows].sort((a, b) => (isUp ? value(a) - value(b) : value(b) - value(a)))
      body.append(...rows)
    })
  })
}

const sheet = new CSSStyleSheet()
sheet.replaceSync(styleSheet)
// Before the page's own, which changes some of it.
document.adoptedStyleSheets = [sheet]
document.getElementById('controls')!.hidden = false
let chart = draw()
drawTime()
for (const button of document.querySelectorAll<HTMLButtonElement>('[data-figure]')) {
  button.addEventListener('click', () => {
    figure = Number(button.dataset.figure) as 0 | 1 | 2
    for (const other of document.querySelectorAll('[data-figure]')) {
      other.setAttribute('aria-pressed', String(other === button))
    }
    chart = draw()
  })
}
find.addEventListener('input', () => (find.value === '' ? chart.clear() : chart.search(find.value)))
document.getElementById('reset')!.addEventListener('click', () => {
  find.value = ''
  chart.clear()
  chart.resetZoom()
})
for (const table of document.querySelectorAll<HTMLTableElement>('table.sortable')) sortable(table)
