// A real browser, headless, for the HTML files: what it fetched and complained of, and what a page shows.
import { execFileSync } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import puppeteer, { type Browser, type Page } from 'puppeteer-core'

let browser: Browser | null = null

/** Why there is no browser here, or false. */
export function noChromium(): string | false {
  try {
    execFileSync('/usr/bin/chromium', ['--version'], { stdio: 'ignore' })
    return false
  } catch {
    return 'chromium is not installed'
  }
}

export interface OpenedPage {
  readonly page: Page
  /** Errors and warnings of the console, uncaught exceptions, violations of the page's policy. */
  readonly complaints: readonly string[]
  /** Every request but that of the file itself. */
  readonly requests: readonly string[]
}

/** Opens a local file; `scheme` is what the user prefers. Call `closeChromium` at the end. */
export async function openInChromium(
  file: string,
  { width = 1280, height = 900, scheme = 'light' as 'light' | 'dark' } = {},
): Promise<OpenedPage> {
  // No sandbox: tests run as root, and open only files that they made.
  browser ??= await puppeteer.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] })
  const page = await browser.newPage()
  await page.setViewport({ width, height })
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
  const complaints: string[] = []
  const requests: string[] = []
  const address = pathToFileURL(file).href
  page.on('console', (message) => {
    if (['error', 'warn'].includes(message.type())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('request', (request) => {
    if (request.url() !== address && !request.url().startsWith('data:')) requests.push(request.url())
  })
  await page.goto(address, { waitUntil: 'load' })
  return { page, complaints, requests }
}

export async function closeChromium(): Promise<void> {
  await browser?.close()
  browser = null
}
