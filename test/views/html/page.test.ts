// The frame of all HTML files, in a real browser: what is hostile stays text, and nothing but its own script runs.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { html, htmlPage } from '../../../src/views/html/page.js'
import { closeChromium, noChromium, openInChromium } from '../../support/chromium.js'
import { scratch } from '../../support/programs.js'

const HOSTILE = [
  '</script><script>window.hit = 1</script>',
  '<img src=x onerror="window.hit = 2">',
  '"><b onmouseover=alert(1)>\x1b[2J\x00\u202e',
  "' <!--<script>",
]
const folder = scratch()
t.teardown(closeChromium)

t.test('strings become text', (t) => {
  const text = html`<td title="${HOSTILE[2]}">${HOSTILE}</td>`.text
  t.equal(text.match(/</g)?.length, 2, 'only the tags of the template')
  t.match(text, /\\x1b\[2J\\x0\\x202e|\\x1b\[2J\\x00\\x202e/)
  t.equal(html`a${null}b${false}c${0}d${[html`<i>`, '<']}`.text, 'abc0d<i>&#60;')
  t.end()
})

t.test('in a browser', { skip: noChromium() }, async (t) => {
  const file = join(folder, 'page.html')
  const script = `window.ran = true; window.data = JSON.parse(document.getElementById('data').textContent);
    window.ends = '</script><!--'.length`
  writeFileSync(
    file,
    htmlPage({ title: HOSTILE[0]!, body: html`<p id="p">${HOSTILE.join('\n')}</p>`, data: HOSTILE, script }),
  )
  const { page, complaints, requests } = await openInChromium(file)
  // page.evaluate takes its code past the policy.
  t.same(
    await page.evaluate('[window.ran, window.hit, window.data, window.ends]'),
    [true, undefined, HOSTILE, 13],
    'its own script ran, no other',
  )
  t.same([complaints, requests], [[], []])
  t.equal(await page.title(), HOSTILE[0])
  const inserted = await page.evaluate(`(async () => {
    const script = document.createElement('script'); script.textContent = 'window.hit = 3'; document.body.append(script)
    const image = new Image(); image.src = 'http://127.0.0.1:9/x'; document.body.append(image)
    await new Promise((done) => { image.onerror = done })
    return window.hit
  })()`)
  t.equal(inserted, undefined, 'what is put in later does not run')
  t.ok(
    complaints.some((text) => text.includes('script-src')) &&
      complaints.some((text) => text.includes('img-src')),
    complaints.join('\n'),
  )
})
