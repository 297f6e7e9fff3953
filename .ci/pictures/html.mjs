// npm run pictures: the HTML report of the demo incident, its head in light and its map in dark, into docs/pictures/report-*.png.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import puppeteer from 'puppeteer-core'
import { withoutPlace } from './without-place.mjs'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SIZE = { width: 1100, height: 620, deviceScaleFactor: 1 }
/** What is in the picture; null: the first screen. */
const PICTURES = [
  { name: 'head', scheme: 'light', part: null },
  { name: 'map', scheme: 'dark', part: '#space' },
]
const folder = mkdtempSync(join(tmpdir(), 'arena-inspect-pictures-'))
const report = join(folder, 'report.html')

try {
  const args = ['demo', '--format', 'html', '-o', report]
  execFileSync(process.execPath, [join(ROOT, 'dist/cli.js'), ...args], { stdio: 'inherit' })
  writeFileSync(report, withoutPlace(readFileSync(report, 'utf8')))
  const browser = await puppeteer.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] })
  for (const { name, scheme, part } of PICTURES) {
    const page = await browser.newPage()
    await page.setViewport(SIZE)
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
    await page.goto(pathToFileURL(report).href, { waitUntil: 'load' })
    await page.waitForSelector('#treemap .region')
    const shown = part === null ? page : await page.$(part)
    await shown.screenshot({ path: join(ROOT, `docs/pictures/report-${name}.png`) })
    await page.close()
  }
  await browser.close()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
