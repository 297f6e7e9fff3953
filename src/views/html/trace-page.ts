// A trace as one HTML file: what was mapped and by whom, a flame graph, calls over time, tables.
import { dateText, zoneText } from '../../format/clock.js'
import { durationText } from '../../format/durations.js'
import { bytesText, countText } from '../../format/sizes.js'
import { lossText, stackText } from '../../trace/stack-text.js'
import type { Trace, TraceGroup } from '../../trace/trace.js'
import type { FlameData, FlameNode } from './flame-data.js'
import { type Html, html, htmlPage } from './page.js'

/** Rows of each table; the flame graph has all. */
const MOST_ROWS = 200
/** Calls that are drawn over time. */
const MOST_MOMENTS = 20_000

/** The whole file. `script`: text of `dist/browser/flame.js`. */
export function renderTraceHtml(trace: Trace, script: string): string {
  const name = trace.target.executable?.split('/').at(-1) ?? 'process'
  const title = `${name} · pid ${trace.target.pid}: who mapped memory`
  const loss = lossText(trace)
  const cut = trace.stacks.filter((stack) => stack.cut).length
  const { mapped, births } = trace
  const body = html`<h1>${title}</h1>
<p class="soft">${dateText(trace.startedAtMs)} to ${dateText(trace.endedAtMs)} (${zoneText(trace.startedAtMs)}), ${durationText(Math.max(0, trace.endedAtMs - trace.startedAtMs))} · recorded by ${trace.recorder} (${trace.recorderWhy}) · mmap, mremap and brk of ${bytesText(trace.minimumBytes)} and more</p>
<dl class="figures">
${figure('mapped', bytesText(mapped.bytes), `${countText(mapped.calls)} calls`)}
${figure('still mapped', bytesText(mapped.stillMappedBytes), `${countText(mapped.stillMappedCalls)} calls`)}
${figure('malloc arenas born', countText(births.arenas), `${countText(births.heaps)} heaps, ${bytesText(births.reservedBytes)} reserved`)}
${figure('lost events', countText(trace.lostEvents), cut === 0 ? 'no stack is cut' : `${countText(cut)} stacks are cut`)}
</dl>
${loss === null ? '' : html`<p class="warning">${loss}</p>`}
${trace.gaps.map((gap) => html`<p class="warning">not watched from ${dateText(gap.atMs)} for ${durationText(gap.untilMs - gap.atMs)}: ${gap.why}</p>`)}
<h2>By stack</h2>
<p class="controls" id="controls" hidden><span role="group" aria-label="Width of a frame">
<button type="button" data-figure="0" aria-pressed="true">bytes mapped</button>
<button type="button" data-figure="1" aria-pressed="false">calls</button>
<button type="button" data-figure="2" aria-pressed="false">bytes still mapped</button></span>
<label>find <input type="search" id="find"></label>
<button type="button" id="reset">whole graph</button></p>
<p class="mono soft" id="details">The outermost frame is at the bottom. A click on a frame makes it as wide as the graph.</p>
<div id="flame" role="img" aria-label="Flame graph of the stacks; the same stacks are in the table below"></div>
<noscript><p>The graph needs JavaScript; the tables below do not.</p></noscript>
<h2>Calls over time</h2>
<div id="time" role="img" aria-label="Each kept call by time and size"></div>
${stacksTable(trace)}
${threadsTable(trace)}`
  return htmlPage({ title, body, data: flameData(trace), script, style: CSS })
}

const CSS = `.figures { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1rem 0 }
.figures div { border: 1px solid var(--line); background: var(--raised); padding: .5rem 1rem; min-width: 11rem }
.figures dt { color: var(--soft) } .figures dd { margin: 0 } .figures b { font-size: 1.3rem }
.controls { display: flex; flex-wrap: wrap; gap: .75rem; align-items: center } .controls[hidden] { display: none }
button, input { font: inherit; color: var(--ink); background: var(--raised); border: 1px solid var(--line); padding: .2rem .6rem }
button[aria-pressed=true] { border-color: var(--info); color: var(--info) }
#flame, #time { border: 1px solid var(--line); background: var(--raised); overflow-x: auto }
#flame .d3-flame-graph rect { stroke: var(--ground) } #flame .d3-flame-graph-label { color: #1b1f24; font-family: inherit }
#time svg { display: block; width: 100% } #time text { fill: var(--soft); font-size: 11px }
#time .map { fill: var(--free) } #time .birth { fill: var(--live) } #time line { stroke: var(--line) }
td.number { width: 1%; white-space: nowrap } td ol { margin: 0; padding-left: 1.5rem } td.stack { word-break: break-word }
th button { border: 0; background: none; padding: 0; color: inherit; font-weight: 600; cursor: pointer }`

function figure(label: string, value: string, more: string): Html {
  return html`<div><dt>${label}</dt><dd><b>${value}</b> <span class="soft">${more}</span></dd></div>`
}

function stacksTable(trace: Trace): Html {
  const rows = trace.groups.slice(0, MOST_ROWS)
  const more = trace.groups.length - rows.length
  return html`<h2>Stacks</h2>
<div class="scroll"><table class="sortable"><thead><tr>${heads('bytes', 'calls', 'still mapped')}<th>stack, innermost first</th><th>threads</th></tr></thead>
<tbody>${rows.map((group) => stackRow(trace, group))}</tbody></table></div>
${more > 0 ? html`<p class="soft">and ${countText(more)} more stacks, which the graph has</p>` : ''}`
}

function heads(...names: readonly string[]): readonly Html[] {
  return names.map((name) => html`<th class="number"><button type="button">${name}</button></th>`)
}

function number(value: number, text: string): Html {
  return html`<td class="number" data-value="${value}">${text}</td>`
}

function stackRow(trace: Trace, group: TraceGroup): Html {
  const frames = stackText(trace, group).map(
    ({ name, source }) =>
      html`<li>${name}${source === null ? '' : html` <span class="soft">${source}</span>`}</li>`,
  )
  const threads = group.threads
    .map(({ name, calls }) => `${name ?? 'others'} (${countText(calls)})`)
    .join(', ')
  const kind =
    group.kind === 'birth'
      ? html`<p>malloc: ${countText(group.arenas)} arenas, ${countText(group.heaps)} heaps</p>`
      : ''
  return html`<tr>${number(group.bytes, bytesText(group.bytes))}${number(group.calls, countText(group.calls))}${number(group.stillMappedBytes, bytesText(group.stillMappedBytes))}<td class="stack mono">${kind}<ol>${frames}</ol></td><td>${threads}</td></tr>`
}

function threadsTable({ groups }: Trace): Html {
  const sums = new Map<string, { calls: number; bytes: number }>()
  for (const { name, calls, bytes } of groups.flatMap((group) => group.threads)) {
    const key = name ?? 'others'
    const sum = sums.get(key) ?? { calls: 0, bytes: 0 }
    sums.set(key, { calls: sum.calls + calls, bytes: sum.bytes + bytes })
  }
  const rows = [...sums].sort(([, a], [, b]) => b.bytes - a.bytes).slice(0, MOST_ROWS)
  return html`<h2>Threads</h2>
<div class="scroll"><table class="sortable"><thead><tr>${heads('bytes', 'calls')}<th>thread</th></tr></thead>
<tbody>${rows.map(([name, { bytes, calls }]) => html`<tr>${number(bytes, bytesText(bytes))}${number(calls, countText(calls))}<td>${name}</td></tr>`)}</tbody></table></div>`
}

interface Building {
  readonly name: string
  readonly values: [number, number, number]
  readonly children: Map<string, Building>
}

function flameData(trace: Trace): FlameData {
  const root: Building = { name: 'all stacks', values: [0, 0, 0], children: new Map() }
  for (const group of trace.groups) {
    const names = stackText(trace, group)
      .map(({ name }) => name)
      .reverse()
    if (group.kind === 'birth') names.push('[malloc heap reserved]')
    const values = [group.bytes, group.calls, group.stillMappedBytes] as const
    let node = root
    add(node, values)
    for (const name of names) {
      const child = node.children.get(name) ?? { name, values: [0, 0, 0], children: new Map() }
      node.children.set(name, child)
      node = child
      add(node, values)
    }
  }
  return {
    root: finished(root),
    moments: trace.events
      .slice(0, MOST_MOMENTS)
      .map(({ atMs, bytes, mallocBirth }) => [
        Math.max(0, atMs - trace.startedAtMs),
        bytes,
        mallocBirth === null ? 0 : 1,
      ]),
    lengthMs: Math.max(1, trace.endedAtMs - trace.startedAtMs),
  }
}

function add({ values: sum }: Building, values: readonly [number, number, number]): void {
  for (const at of [0, 1, 2] as const) sum[at] += values[at]
}

function finished({ name, values, children }: Building): FlameNode {
  return { name, values, children: [...children.values()].map(finished) }
}
