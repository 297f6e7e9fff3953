// Draws the charts of a watch: memory over time, resident memory by category, the number of arenas.
import uPlot from 'uplot'
import styleSheet from 'uplot/dist/uPlot.min.css'
import type { WatchChartData } from '../watch-chart-data.js'
import { pageData } from './shared/page-data.js'

type Column = readonly (number | null)[]

const HEIGHT = 300
const ARENAS_HEIGHT = 180
/** By name, so that a category has one colour in all files; the others take what is left. */
const COLOURS: Readonly<Record<string, string>> = {
  'malloc: live': '--live',
  'malloc: tcache': '--tcache',
  'malloc: bins, trimmable': '--free',
  'malloc: bins, pinned': '--pinned',
  'malloc: top': '--top',
  'malloc: not told apart': '--soft',
  'mmapped chunks': '--mmapped',
  'thread stacks': '--stacks',
  'other anonymous': '--anonymous',
  'libraries, shared': '--file',
  files: '--file',
}
const SPARE_COLOURS = ['--reserved', '--info', '--warning', '--soft', '--damaged', '--stacks', '--mmapped']

const data = pageData<WatchChartData>()
let charts: uPlot[] = []

function colour(variable: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(variable).trim()
}

function bytesText(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) return '—'
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10))
  return `${power === 0 ? bytes : (bytes / 1024 ** power).toFixed(1)} ${units[power]}`
}

// Powers of two and their halves, so that labels are round.
const BYTE_STEPS = Array.from({ length: 45 }, (_, power) => 2 ** power)

// [least seconds between two, text, and what to add where the year, the month or the day changes], as uPlot reads them.
const DATE = '\n{YYYY}-{MM}-{DD}'
const TIME_TEXTS = [
  [24 * 3600, '{YYYY}-{MM}-{DD}', null, null, null, null, null, null, 1],
  [60, '{HH}:{mm}', DATE, null, DATE, null, null, null, 1],
  [1, '{HH}:{mm}:{ss}', DATE, null, DATE, null, null, null, 1],
  [0.001, '{HH}:{mm}:{ss}.{fff}', DATE, null, DATE, null, null, null, 1],
] as uPlot.Axis.Values

function axes(values: (value: number) => string, steps?: number[]): uPlot.Axis[] {
  const common = {
    stroke: colour('--soft'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { stroke: colour('--line'), width: 1 },
  }
  return [
    { ...common, values: TIME_TEXTS, space: 90 },
    {
      ...common,
      size: 80,
      values: (_: uPlot, splits: number[]) => splits.map(values),
      ...(steps ? { incrs: steps } : {}),
    },
  ]
}

function chart(
  id: string,
  height: number,
  options: Pick<uPlot.Options, 'series' | 'axes'> & Partial<uPlot.Options>,
  columns: readonly Column[],
): void {
  const element = document.getElementById(id)
  if (!element) return
  element.replaceChildren()
  const made = new uPlot(
    {
      width: element.clientWidth - 16,
      height,
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), data.zone),
      cursor: { sync: { key: 'watch' } },
      ...options,
    },
    [data.times, ...columns] as unknown as uPlot.AlignedData,
    element,
  )
  charts.push(made)
}

const TIME: uPlot.Series = { label: `time (${data.zone})`, value: '{YYYY}-{MM}-{DD} {HH}:{mm}:{ss}' }

function line(label: string, variable: string, extra: Partial<uPlot.Series> = {}): uPlot.Series {
  const stroke = colour(variable)
  return {
    label,
    stroke,
    width: 2,
    points: { fill: stroke, size: 4 },
    value: (_, bytes) => bytesText(bytes),
    ...extra,
  }
}

function memory(): void {
  const edge = (label: string) => line(label, '--info', { width: 0, points: { show: false } })
  chart(
    'memory',
    HEIGHT,
    {
      scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.05)] } },
      axes: axes(bytesText, BYTE_STEPS),
      series: [
        TIME,
        line('RSS', '--info'),
        line('system', '--free'),
        line('in use', '--live'),
        edge('RSS, most'),
        edge('RSS, least'),
      ],
      bands: [{ series: [4, 5], fill: `${colour('--info')}33` }],
    },
    [data.rss, data.system, data.inUse, data.rssMost, data.rssLeast],
  )
}

// Each area is drawn from its own top to the top of the one below: the first series is the whole stack.
function categories(): void {
  const names = [...data.categories].reverse()
  const tops = names.map((_, index) =>
    data.times.map((_, at) => {
      let sum = 0
      for (const { bytes } of names.slice(index)) {
        const part = bytes[at]
        if (part === null || part === undefined) return null
        sum += part
      }
      return sum
    }),
  )
  const spare = [...SPARE_COLOURS]
  const series = names.map(({ name, bytes }) => {
    const variable = COLOURS[name] ?? spare.shift() ?? '--soft'
    return line(name, variable, {
      width: 1,
      fill: `${colour(variable)}b0`,
      points: { show: data.times.length < 3 },
      value: (_, __, ___, at) => bytesText(at === null || at === undefined ? null : bytes[at]),
    })
  })
  chart(
    'categories',
    HEIGHT,
    {
      scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.05)] } },
      axes: axes(bytesText, BYTE_STEPS),
      series: [TIME, ...series],
      bands: names.slice(1).map((_, index) => ({ series: [index + 1, index + 2] as [number, number] })),
    },
    tops,
  )
}

function arenas(): void {
  const stepped = uPlot.paths.stepped?.({ align: 1 })
  chart(
    'arenas',
    ARENAS_HEIGHT,
    {
      scales: { y: { range: (_, __, most) => [0, Math.max(4, most * 1.1)] } },
      axes: axes((count) => String(count), [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]),
      series: [
        TIME,
        line('arenas', '--tcache', {
          value: (_, count) => (count === null ? '—' : String(count)),
          ...(stepped ? { paths: stepped } : {}),
        }),
      ],
    },
    [data.arenas],
  )
}

function draw(): void {
  for (const old of charts) old.destroy()
  charts = []
  memory()
  categories()
  arenas()
}

// A style element would be against the page's policy; this is none.
const sheet = new CSSStyleSheet()
sheet.replaceSync(styleSheet)
document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet]
draw()
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw)
let pending = 0
addEventListener('resize', () => {
  cancelAnimationFrame(pending)
  pending = requestAnimationFrame(draw)
})
