// One bar of several parts as SVG, which needs no script; exact bytes where the pointer rests.
import { bytesText, countText, percentOf, percentText } from '../../../format/sizes.js'
import { type Html, html } from '../page.js'
import type { Fill } from './parts.js'

export interface Part {
  readonly fill: Fill
  readonly name: string
  readonly bytes: number
}

const UNITS = 10_000
/** A part that holds something can be seen: a third of a thousandth of the bar. */
const LEAST = 30

/** `wholeBytes` is as long as the place is wide; the parts may be fewer. */
export function stackedBar(parts: readonly Part[], wholeBytes: number, label: string): Html {
  let at = 0
  const rects = parts.map(({ fill, name, bytes }) => {
    if (!(bytes > 0) || at >= UNITS) return ''
    const width = Math.min(UNITS - at, Math.max(LEAST, Math.round((bytes / wholeBytes) * UNITS)))
    const rect = html`<rect class="f-${fill}" x="${at}" width="${width}" height="10"><title>${name}: ${exactBytes(bytes)}, ${percentText(percentOf(bytes, wholeBytes))}</title></rect>`
    at += width
    return rect
  })
  return html`<svg class="bar" role="img" aria-label="${label}" viewBox="0 0 ${UNITS} 10" preserveAspectRatio="none">${rects}</svg>`
}

/** `1.2 GiB (1,342,627,840 bytes)`. */
export function exactBytes(bytes: number | null): string {
  return bytes === null ? 'unknown' : `${bytesText(bytes)} (${countText(bytes)} bytes)`
}

/** Bytes as people read them, the exact count where the pointer rests. */
export function bytesHtml(bytes: number | null): Html {
  return bytes === null
    ? html`unknown`
    : html`<span class="bytes" title="${countText(bytes)} bytes">${bytesText(bytes)}</span>`
}
