// The palette of a report's pictures.
import { themed } from '../style.js'
import type { Fill } from './parts.js'

// Okabe and Ito's colours, which differ for every kind of colour vision, made to suit the grounds.
const LIGHT = `--f-live: #0072b2; --f-tcache: #8767b5; --f-fastbins: #b9a5d8; --f-free: #eba52a; --f-pinned: #d55e00;
  --f-top: #f2df6b; --f-overhead: #7d8790; --f-reserved: #c3cad1; --f-damaged: #b3001b; --f-unknown: #a9b4bf;
  --f-mmapped: #56b4e9; --f-stacks: #009e73; --f-files: #cfd5db; --f-anonymous: #cc79a7; --on-fill: #10151a`
const DARK = `--f-live: #3a9bdc; --f-tcache: #a98fd8; --f-fastbins: #79669c; --f-free: #dd9a2b; --f-pinned: #d9622b;
  --f-top: #e6d25e; --f-overhead: #69737d; --f-reserved: #48525c; --f-damaged: #ff5468; --f-unknown: #7c8894;
  --f-mmapped: #7cc4ee; --f-stacks: #2db48c; --f-files: #59636d; --f-anonymous: #cf86ae; --on-fill: #10151a`
const PLAIN: readonly Fill[] = [
  'live',
  'tcache',
  'fastbins',
  'free',
  'pinned',
  'top',
  'overhead',
  'unknown',
  'mmapped',
  'stacks',
  'files',
  'anonymous',
]

/** CSS of the fills. Reserved and damaged are hatched: they differ without colour too. */
export const FILL_STYLE = `${themed(LIGHT, DARK)}
${PLAIN.map((fill) => `.f-${fill} { fill: var(--f-${fill}); background: var(--f-${fill}) }`).join('\n')}
.f-reserved { fill: url(#hatch-reserved); background: repeating-linear-gradient(135deg, var(--f-reserved) 0 2px, var(--ground) 2px 5px) }
.f-damaged { fill: url(#hatch-damaged); background: repeating-linear-gradient(45deg, var(--f-damaged) 0 3px, var(--ground) 3px 4px) }
#hatch-reserved rect, #hatch-damaged rect { fill: var(--ground) }
#hatch-reserved path { stroke: var(--f-reserved); stroke-width: 2 } #hatch-damaged path { stroke: var(--f-damaged); stroke-width: 3 }
.swatch { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .45em; vertical-align: -.05em;
  border: 1px solid color-mix(in srgb, var(--ink) 25%, transparent); print-color-adjust: exact; -webkit-print-color-adjust: exact }`
