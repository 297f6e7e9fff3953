// Colours by meaning. Without colour every style is the identity: the text alone must say it all.
import pc from 'picocolors'
import type { Severity } from '../../findings/finding.js'
import type { ChunkMark } from '../../session/session.js'

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
  readonly chunk: Readonly<Record<ChunkMark['state'], Style>>
}

/** The styles, as SGR sequences when `color`, else without any. */
export function paintFor(color: boolean): Paint {
  const c = pc.createColors(color)
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
    chunk: { used: c.yellow, free: c.green, top: c.cyan, fencepost: c.dim, arena: c.magenta },
  }
}
