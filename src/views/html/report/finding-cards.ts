// Findings as cards: the verdict, what to do, why, what to expect of it, and the evidence.
import type { Estimate, Evidence, Finding, Fix } from '../../../findings/finding.js'
import { bytesText, countText, percentText } from '../../../format/sizes.js'
import { type Html, html } from '../page.js'
import { bytesHtml, exactBytes } from './stacked-bar.js'

export function findingCards(findings: readonly Finding[]): Html {
  if (findings.length === 0) return html``
  return html`<section id="findings"><h2>Findings</h2><div class="cards">${findings.map(card)}</div></section>`
}

function card(finding: Finding): Html {
  const { severity, title, rule, evidence, fixes = [], nextStep, why, estimate } = finding
  return html`<article class="card ${severity}"><h3><b class="badge">${severity}</b> ${title}</h3>
${fixes.length > 0 ? html`<ul class="fixes">${fixes.map(fixHtml)}</ul>` : html`<p>${nextStep}</p>`}
${estimate ? estimateHtml(estimate) : ''}
${why === undefined ? '' : html`<p><span class="soft">why</span> ${why}</p>`}
<dl class="evidence">${evidence.map(evidenceHtml)}</dl>
<p class="soft rule">rule ${rule}; what it rests on: <code>arena-inspect --explain ${rule}</code></p></article>`
}

function fixHtml({ text, note, restart, how }: Fix): Html {
  const again = restart && how !== 'mallopt' ? ' and restart' : ''
  return html`<li><code class="fix">${text}</code>${again}${note === null ? '' : html`<span class="soft">: ${note}</span>`}</li>`
}

const EXPECTED_UNITS = 10_000

// What there is now as the length of the line, what is expected as a stretch of it.
function estimateHtml({ what, nowBytes, lowBytes, highBytes, mostBytes, assumption }: Estimate): Html {
  const at = (bytes: number) => Math.round(Math.min(1, bytes / Math.max(1, nowBytes)) * EXPECTED_UNITS)
  const text = `${what}: ${bytesText(nowBytes)} now, ${bytesText(lowBytes)} to ${bytesText(highBytes)} expected`
  return html`<div class="estimate"><p>${what}: ${bytesHtml(nowBytes)} → about ${bytesHtml(lowBytes)} to ${bytesHtml(highBytes)}<span class="soft">, at most ${bytesHtml(mostBytes)}</span></p>
<svg class="bar" role="img" aria-label="${text}" viewBox="0 0 ${EXPECTED_UNITS} 10" preserveAspectRatio="none"><rect class="then-not" width="${EXPECTED_UNITS}" height="10"><title>now: ${exactBytes(nowBytes)}</title></rect><rect class="then" width="${Math.max(30, at(lowBytes))}" height="10"><title>at least: ${exactBytes(lowBytes)}</title></rect><rect class="then-maybe" x="${Math.max(30, at(lowBytes))}" width="${Math.max(0, at(highBytes) - Math.max(30, at(lowBytes)))}" height="10"><title>up to: ${exactBytes(highBytes)}</title></rect></svg>
<p class="soft">${assumption}</p></div>`
}

function evidenceHtml({ label, value, unit }: Evidence): Html {
  return html`<dt>${label}</dt><dd>${evidenceText(value, unit)}</dd>`
}

/** The value with its unit, bytes exact beside. */
export function evidenceText(value: Evidence['value'], unit: Evidence['unit']): string {
  if (typeof value !== 'number') return value ?? 'unknown'
  if (unit === 'bytes') return exactBytes(value)
  return unit === 'percent' ? percentText(value) : countText(value)
}
