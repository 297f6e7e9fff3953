// Heaps as maps: a cell for each run of pages, drawn on canvases that pointer and arrow keys can ask.
import { bytesText, countText, percentOf, percentText } from '../../../../format/sizes.js'
import type { HeapFigure } from '../../report/report-data.js'
import { colour } from './look.js'

/** Cells of a row. */
const COLUMNS = 64
const LOOKS = ['m-1', 'm-2', 'm-3', 'm-4', 'f-tcache', 'm-free', 'f-top', 'f-overhead', 'f-damaged'] as const
type LookName = (typeof LOOKS)[number]

/** Draws all; the answer draws them again. */
export function drawHeapMaps(figures: readonly HeapFigure[]): { draw(): void } {
  const maps = [...document.querySelectorAll<HTMLElement>('figure[data-heap]')].map(
    (place) => new HeapMap(place, figures[Number(place.dataset.heap)]!),
  )
  const draw = () => {
    const colours = Object.fromEntries(LOOKS.map((name) => [name, colour(`--${name}`)])) as Record<
      LookName,
      string
    >
    for (const map of maps) map.draw(colours)
  }
  draw()
  return { draw }
}

class HeapMap {
  readonly #canvas: HTMLCanvasElement
  readonly #readout: HTMLElement
  readonly #figure: HeapFigure
  readonly #count: number
  #at: number | null = null
  #colours: Readonly<Record<LookName, string>> | null = null

  constructor(place: HTMLElement, figure: HeapFigure) {
    this.#canvas = place.querySelector('canvas')!
    this.#readout = place.querySelector('.readout')!
    this.#figure = figure
    this.#count = figure.cells.live.length
    this.#readout.textContent = this.#whole()
    this.#canvas.setAttribute('aria-label', `${figure.name}: ${this.#whole()}`)
    this.#canvas.addEventListener('mousemove', (event) => this.#point(this.#under(event)))
    this.#canvas.addEventListener('mouseleave', () => this.#point(null))
    this.#canvas.addEventListener('blur', () => this.#point(null))
    this.#canvas.addEventListener('keydown', (event) => this.#onKey(event))
  }

  draw(colours: Readonly<Record<LookName, string>>): void {
    this.#colours = colours
    const rows = Math.ceil(this.#count / COLUMNS)
    const width = this.#canvas.clientWidth
    const ratio = Math.max(1, devicePixelRatio)
    const cell = Math.max(2, Math.round((width * ratio) / COLUMNS))
    this.#canvas.width = cell * COLUMNS
    this.#canvas.height = cell * rows
    const context = this.#canvas.getContext('2d')!
    const gap = cell > 3 ? 1 : 0
    for (let at = 0; at < this.#count; at++) {
      context.fillStyle = colours[this.#look(at)]
      context.fillRect((at % COLUMNS) * cell, Math.floor(at / COLUMNS) * cell, cell - gap, cell - gap)
    }
    if (this.#at !== null) {
      context.strokeStyle = colour('--ink')
      context.lineWidth = ratio * 2
      context.strokeRect((this.#at % COLUMNS) * cell, Math.floor(this.#at / COLUMNS) * cell, cell, cell)
    }
  }

  #bytes(at: number): number {
    const { cells, sizeBytes } = this.#figure
    return Math.min(cells.cellBytes, sizeBytes - at * cells.cellBytes)
  }

  #other(at: number): number {
    const { live, cached, free, top } = this.#figure.cells
    return Math.max(0, this.#bytes(at) - live[at]! - cached[at]! - free[at]! - top[at]!)
  }

  #look(at: number): LookName {
    const { live, cached, free, top } = this.#figure.cells
    // The first cell holds heap_info and malloc_state.
    if (at > 0 && this.#other(at) > this.#bytes(at) / 2) return 'f-damaged'
    if (live[at]! > 0) return LOOKS[Math.min(3, Math.floor((live[at]! / this.#bytes(at)) * 4))]!
    if (cached[at]! > 0) return 'f-tcache'
    if (free[at]! > 0 && free[at]! >= top[at]!) return 'm-free'
    return top[at]! > 0 ? 'f-top' : 'f-overhead'
  }

  #under(event: MouseEvent): number | null {
    const { left, top, width } = this.#canvas.getBoundingClientRect()
    const cell = width / COLUMNS
    const column = Math.floor((event.clientX - left) / cell)
    const at = Math.floor((event.clientY - top) / cell) * COLUMNS + column
    return column >= 0 && column < COLUMNS && at >= 0 && at < this.#count ? at : null
  }

  #onKey(event: KeyboardEvent): void {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -COLUMNS, ArrowDown: COLUMNS }[event.key]
    if (step === undefined) return
    event.preventDefault()
    const next = this.#at === null ? 0 : this.#at + step
    if (next >= 0 && next < this.#count) this.#point(next)
  }

  #point(at: number | null): void {
    if (at === this.#at) return
    this.#at = at
    this.#readout.textContent = at === null ? this.#whole() : this.#cell(at)
    if (this.#colours) this.draw(this.#colours)
  }

  #whole(): string {
    const { cells, sizeBytes } = this.#figure
    const live = cells.live.reduce((sum, bytes) => sum + bytes, 0)
    return `${bytesText(sizeBytes)}, live ${percentText(percentOf(live, sizeBytes))}; a cell is ${bytesText(cells.cellBytes)}`
  }

  #cell(at: number): string {
    const { cells, address } = this.#figure
    const start = BigInt(address) + BigInt(at * cells.cellBytes)
    const parts = [
      ['live', cells.live[at]!],
      ['cached', cells.cached[at]!],
      ['free', cells.free[at]!],
      ['top', cells.top[at]!],
      ['other', this.#other(at)],
    ] as const
    const held = parts.filter(([, bytes]) => bytes > 0).map(([name, bytes]) => `${name} ${countText(bytes)}`)
    return `0x${start.toString(16)}: ${held.join(', ')} bytes; ${countText(cells.chunks[at]!)} chunks begin`
  }
}
