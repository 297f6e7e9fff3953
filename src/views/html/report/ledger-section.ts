// Where the resident memory is: one bar, and its lines as a table.
import { countText, percentOf, percentText } from '../../../format/sizes.js'
import type { Ledger } from '../../../maps/ledger.js'
import { type Html, html } from '../page.js'
import { FILL_OF_LINE, type Fill } from './parts.js'
import { bytesHtml, stackedBar } from './stacked-bar.js'

export function ledgerSection(ledger: Ledger | null): Html {
  if (!ledger)
    return html`<section id="ledger"><h2>Where the resident memory is</h2><p>Unknown: nothing tells which pages are in RAM.</p></section>`
  const title = ledger.basis === 'rss' ? 'Where the resident memory is' : 'Where the saved memory is'
  const { totalBytes, unaccountedBytes, entries } = ledger
  const lines = [
    ...entries.map(({ line, residentBytes, swapBytes }) => ({
      fill: FILL_OF_LINE[line],
      name: line as string,
      bytes: residentBytes,
      swapBytes,
    })),
    { fill: 'unknown' as Fill, name: 'unaccounted', bytes: unaccountedBytes, swapBytes: null },
  ]
  const whole = Math.max(
    totalBytes,
    entries.reduce((sum, { residentBytes }) => sum + residentBytes, 0),
    1,
  )
  const swaps = entries.some(({ swapBytes }) => (swapBytes ?? 0) > 0)
  return html`<section id="ledger"><h2>${title}</h2>
<p class="soft">${ledger.basis === 'rss' ? 'Every byte of RSS is in one line.' : 'Every page that the kernel saved is in one line; a core does not tell which of them were in RAM.'}</p>
<div class="ledger-bar">${stackedBar(lines, whole, `${title}: ${lines.map(({ name, bytes }) => `${name} ${percentText(percentOf(bytes, totalBytes))}`).join(', ')}`)}</div>
<div class="scroll"><table class="sums"><thead><tr><th>line</th><th class="number">size</th><th class="number exact">bytes</th><th class="number">share</th>${swaps ? html`<th class="number">swap</th>` : ''}</tr></thead>
<tbody>${lines.map(
    ({ fill, name, bytes, swapBytes }) =>
      html`<tr><td><i class="swatch f-${fill}"></i>${name}</td><td class="number">${bytesHtml(bytes)}</td><td class="number exact">${countText(bytes)}</td><td class="number">${percentText(percentOf(bytes, totalBytes))}</td>${swaps ? html`<td class="number">${swapBytes === 0 || swapBytes === null ? '' : bytesHtml(swapBytes)}</td>` : ''}</tr>`,
  )}</tbody>
<tfoot><tr><th scope="row">${ledger.basis === 'rss' ? 'RSS' : 'saved'}</th><td class="number">${bytesHtml(totalBytes)}</td><td class="number exact">${countText(totalBytes)}</td><td class="number">${percentText(percentOf(totalBytes, totalBytes))}</td>${swaps ? html`<td></td>` : ''}</tr></tfoot></table></div>
${besides(ledger)}</section>`
}

function besides({ swapBytes, hugeBytes, hugetlbBytes }: Ledger): Html {
  const parts = [
    ...(swapBytes ? [html`swapped out ${bytesHtml(swapBytes)}`] : []),
    ...(hugeBytes ? [html`of RSS in transparent huge pages ${bytesHtml(hugeBytes)}`] : []),
    ...(hugetlbBytes ? [html`huge pages of hugetlbfs, not in RSS, ${bytesHtml(hugetlbBytes)}`] : []),
  ]
  return parts.length === 0
    ? html``
    : html`<p class="soft">besides: ${parts.map((part, at) => html`${at > 0 ? ' · ' : ''}${part}`)}</p>`
}
