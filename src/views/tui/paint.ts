// Colours by meaning. Without colour every style is the identity: the text alone must say it all.
import pc from 'picocolors'
import type { Severity } from '../../findings/finding.js'
import type { ChunkMark, ChunkState } from '../../session/session.js'

type Style = (text: string) => string

/** One style per meaning. */
export interface Paint {
  readonly title: Style
  readonly dim: Style
  readonly key: Style
  readonly error: Style
  readonly selected: Style
  readonly bar: Style
  readonly severity: Readonly<Record<Severity, Style>>
  /** A number that a refresh changed. */
  readonly changed: Style
  readonly chunk: Readonly<Record<ChunkMark['state'], Style>>
  readonly state: Readonly<Record<ChunkState, Style>>
  readonly page: Readonly<Record<'live' | 'cached' | 'free' | 'top' | 'reserved' | 'damaged', Style>>
  /** Kinds of regions on the map of the address space. */
  readonly region: Readonly<Record<'malloc' | 'stack' | 'file' | 'other' | 'reserved', Style>>
}

/** The styles, as SGR sequences when `color`, else without any. */
export function paintFor(color: boolean): Paint {
  const c = pc.createColors(color)
  // One colour per state of memory everywhere; all of them can be read on dark and on light.
  const live = c.magenta
  const cached = c.blue
  const free = c.green
  const top = c.cyan
  return {
    title: c.bold,
    dim: c.dim,
    key: c.cyan,
    error: (text) => c.bold(c.red(text)),
    selected: c.inverse,
    bar: c.cyan,
    severity: {
      critical: (text) => c.bold(c.white(c.bgRed(text))),
      warning: (text) => c.bold(c.black(c.bgYellow(text))),
      info: (text) => c.bold(c.black(c.bgCyan(text))),
    },
    changed: (text) => c.bold(c.magenta(text)),
    chunk: { used: live, free, top, fencepost: c.dim, arena: c.blue },
    state: {
      live,
      mmapped: live,
      tcache: cached,
      fastbin: cached,
      unsorted: free,
      binned: free,
      top,
      fencepost: c.dim,
    },
    page: { live, cached, free, top, reserved: c.dim, damaged: (text) => c.bold(c.red(text)) },
    region: { malloc: live, stack: top, file: cached, other: (text) => text, reserved: c.dim },
  }
}
