// Chunks by size as bars: live beside free, by powers of two.
import uPlot from 'uplot'
import styleSheet from 'uplot/dist/uPlot.min.css'
import { bytesText, countText } from '../../../../format/sizes.js'
import type { SizeColumns } from '../../report/report-data.js'
import { colour } from './look.js'

const HEIGHT = 300

export interface Shown {
  readonly figure: 'bytes' | 'chunks'
  readonly scale: 'linear' | 'log'
}

export interface Sizes {
  show(change: Partial<Shown>): void
  draw(): void
}

export function drawSizes(columns: SizeColumns): Sizes {
  // A style element would be against the page's policy; this is none.
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(styleSheet)
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet]
  const place = document.getElementById('sizes-chart')!
  const bars = joined(columns)
  let shown: Shown = { figure: 'bytes', scale: 'linear' }
  let chart: uPlot | null = null
  const draw = () => {
    chart?.destroy()
    chart = bars.from.length === 0 ? null : plot(place, bars, shown)
    if (chart === null) place.textContent = 'no chunks'
  }
  draw()
  return {
    show(change) {
      shown = { ...shown, ...change }
      draw()
    },
    draw,
  }
}

interface Bars {
  readonly from: readonly number[]
  readonly to: readonly number[]
  readonly live: { readonly bytes: readonly number[]; readonly chunks: readonly number[] }
  readonly free: { readonly bytes: readonly number[]; readonly chunks: readonly number[] }
}

// Powers of two, those without chunks between others included: a gap must be seen as one.
function joined({ minBytes, liveBytes, liveChunks, freeBytes, freeChunks }: SizeColumns): Bars {
  const power = (bytes: number) => Math.floor(Math.log2(Math.max(1, bytes)))
  const first = minBytes.length === 0 ? 0 : power(minBytes[0]!)
  const count = minBytes.length === 0 ? 0 : power(minBytes[minBytes.length - 1]!) - first + 1
  const zeros = () => new Array<number>(count).fill(0)
  const live = { bytes: zeros(), chunks: zeros() }
  const free = { bytes: zeros(), chunks: zeros() }
  const added = [
    [live.bytes, liveBytes],
    [live.chunks, liveChunks],
    [free.bytes, freeBytes],
    [free.chunks, freeChunks],
  ] as const
  minBytes.forEach((bytes, row) => {
    const at = power(bytes) - first
    for (const [sums, column] of added) sums[at] = (sums[at] ?? 0) + (column[row] ?? 0)
  })
  const from = zeros().map((_, at) => 2 ** (first + at))
  return { from, to: from.map((bytes) => bytes * 2), live, free }
}

function plot(place: HTMLElement, bars: Bars, { figure, scale }: Shown): uPlot {
  const values = [bars.live[figure], bars.free[figure]] as const
  const most = Math.max(1, ...values[0], ...values[1])
  const isLog = scale === 'log'
  const least = Math.min(most, ...values.flat().filter((value) => value > 0))
  const base = isLog ? 2 ** (Math.floor(Math.log2(least)) - 1) : 0
  const drawn = values.map((column) => column.map((value) => (value === 0 ? null : value)))
  const text = (value: number | null) =>
    value === null ? '—' : figure === 'bytes' ? `${bytesText(value)} (${countText(value)})` : countText(value)
  const series = (label: string, variable: string, align: -1 | 1): uPlot.Series => ({
    label,
    fill: colour(variable),
    stroke: colour(variable),
    width: 0,
    points: { show: false },
    fillTo: base,
    value: (_, value) => text(value ?? null),
    paths: uPlot.paths.bars!({ size: [0.42, 60], align }),
  })
  const common = {
    stroke: colour('--soft'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { stroke: colour('--line'), width: 1 },
  }
  return new uPlot(
    {
      width: place.clientWidth - 18,
      height: HEIGHT,
      scales: {
        x: { time: false, range: [-0.6, bars.from.length - 0.4] },
        y: isLog ? { distr: 3, log: 2, range: [base, most * 1.3] } : { range: [0, most * 1.05] },
      },
      cursor: { drag: { x: false, y: false }, y: false },
      axes: [
        {
          ...common,
          grid: { show: false },
          incrs: [1, 2, 4, 8],
          space: 62,
          values: (_, splits) =>
            splits.map((at) =>
              bars.from[at] === undefined ? '' : bytesText(bars.from[at]!).replace('.0 ', ' '),
            ),
        },
        {
          ...common,
          size: 78,
          ...(isLog ? {} : { incrs: Array.from({ length: 48 }, (_, power) => 2 ** power) }),
          values: (_, splits) =>
            splits.map((value) =>
              value === null
                ? ''
                : figure === 'bytes'
                  ? bytesText(value).replace('.0 ', ' ')
                  : countText(Math.round(value)),
            ),
        },
      ],
      series: [
        {
          label: 'size',
          value: (_, at) =>
            at === null || bars.from[at] === undefined
              ? '—'
              : `${bytesText(bars.from[at]!)} to below ${bytesText(bars.to[at]!)}`,
        },
        series('live', '--f-live', -1),
        series('free in bins', '--f-free', 1),
      ],
    },
    [bars.from.map((_, at) => at), ...drawn] as uPlot.AlignedData,
    place,
  )
}
