// The look of a report's page, after the common style.
import { FILL_STYLE } from './fill-style.js'

export const REPORT_STYLE = `${FILL_STYLE}
body { max-width: 82rem; padding: 1.5rem clamp(1rem, 3vw, 2.5rem) }
section { margin-top: 2.5rem } section h2 { margin: 0 0 .25rem; font-size: 1.2rem } section > p { max-width: 60rem; margin: .25rem 0 .75rem }
.defs { position: absolute } [hidden] { display: none !important }
header { position: relative } header h1 { font-size: 1.7rem; line-height: 1.2; margin: 0; overflow-wrap: anywhere; padding-right: 9rem }
.eyebrow { margin: 0; color: var(--soft); font-size: .8rem; letter-spacing: .06em; text-transform: uppercase }
.facts { list-style: none; display: flex; flex-wrap: wrap; gap: 0 1.25rem; margin: .35rem 0 0; padding: 0; color: var(--soft); overflow-wrap: anywhere }
.theme { position: absolute; top: 0; right: 0 }
button, input { font: inherit; font-size: .85rem; color: var(--ink); background: var(--ground); border: 1px solid var(--line); padding: .2rem .7rem; border-radius: 5px }
button { cursor: pointer } button:hover { background: var(--raised) }
[role=group] { display: inline-flex } [role=group] button { border-radius: 0; margin-left: -1px }
[role=group] button:first-child { border-radius: 5px 0 0 5px; margin-left: 0 } [role=group] button:last-child { border-radius: 0 5px 5px 0 }
button[aria-pressed=true] { background: var(--ink); color: var(--ground); border-color: var(--ink) }
:focus-visible { outline: 2px solid var(--info); outline-offset: 1px }
.controls { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center }
.badge { font-size: .72rem; letter-spacing: .05em; text-transform: uppercase; padding: .12rem .5rem; border-radius: 4px; vertical-align: .15em; white-space: nowrap;
  color: var(--ground); background: var(--soft); print-color-adjust: exact; -webkit-print-color-adjust: exact }
.critical .badge { background: var(--critical) } .warning .badge { background: var(--warning) } .info .badge { background: var(--info) }
.verdict, .card { color: var(--ink); background: var(--raised); border: 1px solid var(--line); border-left: 5px solid var(--soft); border-radius: 6px; padding: .9rem 1.2rem }
.verdict.critical, .card.critical { border-left-color: var(--critical) } .verdict.warning, .card.warning { border-left-color: var(--warning) }
.verdict.info, .card.info { border-left-color: var(--info) }
section.verdict { margin-top: 1.25rem } .verdict p { margin: .2rem 0; max-width: none } .verdict .title { font-size: 1.25rem; line-height: 1.35; font-weight: 600; overflow-wrap: anywhere }
.verdict .more { margin-left: .75rem } a { color: var(--info) }
code.fix { background: var(--ground); border: 1px solid var(--line); border-radius: 4px; padding: .1rem .4rem; user-select: all; overflow-wrap: anywhere }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem; margin: 1rem 0 }
.figures div { border: 1px solid var(--line); border-radius: 6px; padding: .6rem .9rem }
.figures dt { color: var(--soft); font-size: .85rem } .figures dd { margin: 0 } .figures dd .soft { display: block; font-size: .85rem } .figures b { font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .1rem 1rem; padding: 0; margin: 0; font-size: .9rem }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 27rem), 1fr)); gap: 1rem; align-items: start; margin-top: .75rem }
.card h3 { font-size: 1rem; line-height: 1.4; margin: 0 0 .5rem; overflow-wrap: anywhere } .card p { margin: .5rem 0; overflow-wrap: anywhere } .card.critical { grid-column: 1 / -1 }
.fixes { margin: .5rem 0; padding-left: 1.1rem } .fixes li { margin: .3rem 0 } .rule { font-size: .85rem }
.evidence { display: grid; grid-template-columns: auto 1fr; gap: .1rem 1rem; margin: .75rem 0 0; font-size: .9rem }
.evidence dt { color: var(--soft) } .evidence dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
.bar { display: block; width: 100%; height: 1rem; background: none; print-color-adjust: exact; -webkit-print-color-adjust: exact }
.bar rect { stroke: var(--ground); stroke-width: 1px; vector-effect: non-scaling-stroke }
.estimate .bar { height: .6rem; max-width: 34rem } .then { fill: var(--f-live) } .then-maybe { fill: color-mix(in srgb, var(--f-live) 50%, var(--ground)) } .then-not { fill: var(--f-free) }
.ledger-bar .bar { height: 2.4rem } table.sums { margin-top: .75rem; max-width: 44rem; width: auto; min-width: min(100%, 36rem) } tfoot th, tfoot td { border-top: 2px solid var(--line); color: var(--ink) }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; margin: .5rem 0; padding: 0; font-size: .85rem; color: var(--soft) }
.arena-bars { list-style: none; padding: 0; margin: .5rem 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); gap: .2rem 2rem }
.arena-bars li { display: grid; grid-template-columns: 2.4rem 1fr 5.2rem 3.8rem; gap: .6rem; align-items: center; font-size: .85rem }
.arena-bars .name, .arena-bars .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
#treemap { margin: .25rem 0 .5rem } #treemap svg { display: block; width: 100%; height: auto; print-color-adjust: exact; -webkit-print-color-adjust: exact }
#treemap rect { stroke: none } #treemap rect.edge { fill: none; stroke: var(--ground); stroke-width: 1px } #treemap rect.category { fill: var(--raised); stroke: var(--line) } #treemap .region { cursor: pointer } #treemap .region.over rect.edge { stroke: var(--ink); stroke-width: 2px }
#treemap text { font-size: 11px; fill: var(--on-fill); pointer-events: none } #treemap text.category { fill: var(--ink); font-weight: 600; font-size: 12px }
#treemap text.on-dark { fill: #fff } #treemap text.on-ground { fill: var(--ink); paint-order: stroke; stroke: var(--ground); stroke-width: 3px }
#treemap + .legend + .scroll, .table .rows { margin-top: .5rem }
.heap-maps { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); gap: 1rem 1.25rem } figure { margin: 0 } figcaption { font-size: .85rem; display: flex; justify-content: space-between; gap: .5rem; white-space: nowrap; overflow: hidden }
figure canvas { display: block; width: 100%; border: 1px solid var(--line); cursor: crosshair } .readout { font-size: .8rem; margin: .25rem 0 0; min-height: 2.6em; font-variant-numeric: tabular-nums }
.m-1 { background: var(--m-1) } .m-2 { background: var(--m-2) } .m-3 { background: var(--m-3) } .m-4 { background: var(--m-4) } .m-free { background: var(--m-free) }
:root { --m-free: color-mix(in srgb, var(--f-free) 38%, var(--ground)); --m-1: color-mix(in srgb, var(--f-live) 38%, var(--ground)); --m-2: color-mix(in srgb, var(--f-live) 60%, var(--ground)); --m-3: color-mix(in srgb, var(--f-live) 80%, var(--ground)); --m-4: var(--f-live) }
.chart { border: 1px solid var(--line); border-radius: 6px; padding: .5rem; overflow: hidden; min-height: 18rem }
.rows { max-height: 27rem; overflow: auto; border: 1px solid var(--line); border-radius: 6px } td.number, th.number { white-space: nowrap } .rows.narrow { width: fit-content; max-width: 100% } .rows table { font-size: .88rem; border-collapse: separate; border-spacing: 0 }
.rows th, .rows td { height: 1.75rem; line-height: 1.25rem; padding: .2rem .7rem; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; max-width: 34rem }
.rows th { position: sticky; top: 0; background: var(--raised); z-index: 1; padding: 0 } .rows th button { border: 0; border-radius: 0; background: none; width: 100%; height: 1.75rem; text-align: inherit; padding: .2rem .7rem; color: var(--soft); font-weight: 600; white-space: nowrap }
.rows th button:hover { color: var(--ink) } .rows th[aria-sort] button { color: var(--ink) } .rows th[aria-sort=descending] button::after { content: " ↓" } .rows th[aria-sort=ascending] button::after { content: " ↑" }
.rows tbody tr:hover td { background: var(--raised) } .rows .gap td { padding: 0; border: 0; background: none } .hint { font-weight: 400; font-style: italic }
.more { font-size: .85rem } .mono { font-variant-ligatures: none }
#tip { position: fixed; z-index: 5; left: 0; top: 0; max-width: 24rem; pointer-events: none; background: var(--ink); color: var(--ground); font-size: .82rem; line-height: 1.35; padding: .4rem .6rem; border-radius: 5px; white-space: pre-line; overflow-wrap: anywhere }
footer { margin-top: 3rem; border-top: 1px solid var(--line); font-size: .85rem }
@media (max-width: 34rem) { header h1 { padding-right: 0; margin-top: .25rem } .theme { position: static; margin-top: .5rem } .evidence { grid-template-columns: 1fr } .evidence dd { margin-bottom: .3rem }
  .sums .exact { display: none } .sums th, .sums td { padding-left: .3rem; padding-right: .3rem } .figures { grid-template-columns: 1fr 1fr } .figures b { font-size: 1.1rem } }
@media print { body { font-size: 11px } nav, .controls, .theme, #tip { display: none !important } .rows { max-height: none; overflow: visible; border: 0 } td.number, th.number { white-space: nowrap } .rows.narrow { width: fit-content; max-width: 100% } .rows table { font-size: 8px } .rows th { position: static }
  .rows th, .rows td { height: auto; padding: .1rem .3rem; max-width: 18rem } .rows th button { font-size: inherit; height: auto; padding: .1rem .3rem }
  .card, .verdict, figure, .arena-bars li, #treemap, .chart { break-inside: avoid } h2 { break-after: avoid } .scroll { overflow: visible } }`
