// npm run pictures: the README's screens of the TUI, from the real program in tmux on the demo incident.
// Writes docs/screens/*.txt and docs/pictures/tui-*.png. Needs tmux, chromium and fonts-dejavu-core (box drawing).
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import puppeteer from 'puppeteer-core'
import { htmlOfAnsi } from './ansi-html.mjs'
import { withoutPlace } from './without-place.mjs'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SIZE = { columns: 100, rows: 30 }
const DEADLINE_MS = 120_000
const SOCKET = `arena-inspect-pictures-${process.pid}`
/** Keys to each screen, and what is on it when it is whole. A core may be given instead of the demo. */
const SCREENS = [
  { name: 'overview', keys: ['1'], until: /CRITICAL|WARNING/ },
  { name: 'arenas', keys: ['2'], until: /\[2 Arenas\]/ },
  { name: 'map', keys: ['Enter'], until: /live [\d.]+ %[\s\S]*chunks begin/ },
  { name: 'chunks', keys: ['4', 's'], until: /largest first[^\n]*chunks, [\d.]+ [KMG]iB *$/m },
  {
    name: 'memory',
    keys: ['1', '2', 'm', 'j', 'j', 'j', 'j', 'j', 'j'],
    until: /\[5 Memory\][\s\S]*(▸|│)(used|free|arena)/,
  },
  { name: 'findings', keys: ['7', 'Enter'], until: /\[7 Findings\]/ },
]
const PICTURES = ['overview', 'map', 'memory']

const tmux = (...args) => execFileSync('tmux', ['-L', SOCKET, ...args], { encoding: 'utf8' })
process.on('exit', () => spawnSync('tmux', ['-L', SOCKET, 'kill-server']))
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

const target = process.argv[2] ? `'${process.argv[2]}'` : 'demo'
const command = `env -u NO_COLOR TERM=tmux-256color '${process.execPath}' '${join(ROOT, 'dist/cli.js')}' ${target}`
tmux('-f', '/dev/null', '-u', 'new-session', '-d', '-x', `${SIZE.columns}`, '-y', `${SIZE.rows}`, command)
await until(/\[1 Overview\]/)

mkdirSync(join(ROOT, 'docs/screens'), { recursive: true })
mkdirSync(join(ROOT, 'docs/pictures'), { recursive: true })
const browser = await puppeteer.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] })
for (const { name, keys, until: whole } of SCREENS) {
  for (const key of keys) tmux('send-keys', key)
  const text = await until(whole)
  writeFileSync(join(ROOT, `docs/screens/${name}.txt`), `${withoutPlace(text).trimEnd()}\n`)
  if (PICTURES.includes(name)) await picture(name, withoutPlace(tmux('capture-pane', '-p', '-e')))
}
await browser.close()
tmux('send-keys', 'q')

/** The screen once it matches and has stopped changing. */
async function until(wanted) {
  const end = Date.now() + DEADLINE_MS
  for (let before = ''; ; ) {
    const text = tmux('capture-pane', '-p')
    if (text === before && wanted.test(text)) return text
    if (Date.now() > end) throw new Error(`the screen never showed ${wanted}:\n${text}`)
    before = text
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
}

async function picture(name, ansi) {
  const page = await browser.newPage()
  await page.setViewport({ width: 1000, height: 800, deviceScaleFactor: 1 })
  await page.setContent(htmlOfAnsi(ansi), { waitUntil: 'load' })
  const screen = await page.$('pre')
  await screen.screenshot({ path: join(ROOT, `docs/pictures/tui-${name}.png`) })
  await page.close()
}
