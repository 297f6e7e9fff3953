// The top of a report's page: what it is of, the verdict, the figures that count.
import type { Finding } from '../../../findings/finding.js'
import { countOf, countText, percentOf, percentText } from '../../../format/sizes.js'
import type { Report } from '../../../report/report.js'
import { stopText } from '../../../report/stop-text.js'
import { type Html, html } from '../page.js'
import { bytesHtml } from './stacked-bar.js'

const LAYOUT_FROM = {
  'debug-info': 'layout from debug symbols',
  table: 'layout of this version',
  probe: 'layout found in memory',
} as const

/** `memsqld`, or what the target is called. */
export function targetName({ target }: Report): string {
  return target.executable?.split('/').at(-1) ?? target.label
}

export function header(report: Report): Html {
  const { target, complete } = report
  const { glibc } = target
  const facts = [
    target.label,
    ...(target.kind === 'core' && target.pid !== null ? [`pid ${target.pid}`] : []),
    countOf(target.threads, 'thread'),
    ...stopText(target.stop),
    glibc
      ? `glibc ${glibc.version ?? 'of unknown version'}, ${LAYOUT_FROM[glibc.layoutFrom]}, confirmed by ${countText(glibc.confirmedArenas)} of ${countText(report.heap?.arenas.length ?? 0)} arenas`
      : 'no glibc malloc found',
  ]
  return html`<header>
<p class="eyebrow">arena-inspect report</p>
<h1>${targetName(report)}</h1>
<ul class="facts">${facts.map((fact) => html`<li>${fact}</li>`)}${complete ? '' : html`<li class="warning"><a href="#notes">incomplete: see the notes</a></li>`}</ul>
<div class="theme" id="theme" role="group" aria-label="Colours" hidden>
<button type="button" data-theme-choice="auto" aria-pressed="true">auto</button>
<button type="button" data-theme-choice="light" aria-pressed="false">light</button>
<button type="button" data-theme-choice="dark" aria-pressed="false">dark</button></div>
</header>`
}

export function verdict({ findings, heap }: Report): Html {
  const [first] = findings
  if (!first) {
    const text = heap
      ? 'No finding: nothing that the rules know is wrong with this heap.'
      : 'No verdict on malloc: its arenas were not found.'
    return html`<section class="verdict" aria-label="Verdict"><p class="title">${text}</p></section>`
  }
  const more = findings.length - 1
  return html`<section class="verdict ${first.severity}" aria-label="Verdict">
<p class="title"><b class="badge">${first.severity}</b> ${first.title}</p>
<p class="do"><span class="soft">do</span> ${doHtml(first)}${more > 0 ? html` <a class="more" href="#findings">and ${countOf(more, 'more finding')}</a>` : ''}</p>
</section>`
}

function doHtml({ fixes = [], nextStep }: Finding): Html {
  const [fix] = fixes
  if (!fix) return html`${nextStep}`
  return html`<code class="fix">${fix.text}</code>${fix.restart && fix.how !== 'mallopt' ? ' and restart' : ''}`
}

export function figures({ ledger, heap }: Report): Html {
  const totals = heap?.totals
  const share = totals ? percentText(percentOf(totals.inUseBytes, totals.systemBytes)) : ''
  const tiles = [
    ...(ledger
      ? [tile(ledger.basis === 'rss' ? 'in RAM (RSS)' : 'saved in the core', ledger.totalBytes)]
      : []),
    ...(heap && totals
      ? [
          tile("malloc's arenas hold", totals.systemBytes, countOf(heap.arenas.length, 'arena')),
          tile('of that in use', totals.inUseBytes, share),
          tile('free, kept by malloc', totals.freeBytes),
          tile('malloc_trim(0) gives back', totals.trimReturnsBytes, 'predicted'),
          tile('mmapped chunks', heap.mmapped.bytes, countOf(heap.mmapped.count, 'chunk')),
        ]
      : []),
  ]
  return html`<dl class="figures">${tiles}</dl>`
}

function tile(label: string, bytes: number | null, more = ''): Html {
  return html`<div><dt>${label}</dt><dd><b>${bytesHtml(bytes)}</b> <span class="soft">${more}</span></dd></div>`
}
