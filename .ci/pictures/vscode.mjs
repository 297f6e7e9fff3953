// npm run pictures:vscode: our extension in VS Code itself (code-server of npm, in Chromium) on the demo's core.
// Writes docs/pictures/vscode-*.png; fails where what they show does not appear. Downloads 500 MB into a scratch folder.
import { execFileSync, spawn } from 'node:child_process'
import {
  createWriteStream,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import puppeteer from 'puppeteer-core'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SIZE = { width: 1280, height: 800 }
/** By its number: npm would choose an older one for the Node that runs npm. */
const CODE_SERVER = '4.139.1'
const DEADLINE_MS = 120_000
const SETTINGS = {
  'workbench.colorTheme': 'Default Dark Modern',
  'workbench.startupEditor': 'none',
  'breadcrumbs.enabled': false,
  'chat.disableAIFeatures': true,
  'git.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
}

/** Where code-server is installed already, from an earlier run; else it is put into the scratch folder. */
const [installed] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'arena-inspect-vscode-'))
const scratch = (name) => join(folder, name)
let server
try {
  const { node, entry } = install()
  const workspace = incident()
  const program = scratch('arena-inspect')
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'dist/cli.js')}' "$@"\n`, {
    mode: 0o755,
  })
  for (const place of ['User', 'Machine']) {
    mkdirSync(scratch(`data/${place}`), { recursive: true })
    const settings = { ...SETTINGS, 'arena-inspect.command': program }
    writeFileSync(scratch(`data/${place}/settings.json`), JSON.stringify(settings))
  }
  const own = ['--user-data-dir', scratch('data'), '--extensions-dir', scratch('extensions')]
  execFileSync(process.execPath, [join(ROOT, '.ci/build-vsix.mjs'), scratch('arena-inspect.vsix')])
  execFileSync(node, [entry, ...own, '--install-extension', scratch('arena-inspect.vsix')])
  const port = await freePort()
  const log = createWriteStream(scratch('log'))
  const quiet = ['--disable-telemetry', '--disable-update-check', '--disable-workspace-trust']
  const listening = ['--config', scratch('config.yaml'), '--auth', 'none', '--bind-addr', `127.0.0.1:${port}`]
  server = spawn(node, [entry, ...own, ...quiet, ...listening], { stdio: ['ignore', 'pipe', 'pipe'] })
  server.stdout.pipe(log)
  server.stderr.pipe(log)
  await drive(`http://127.0.0.1:${port}/?folder=${encodeURIComponent(workspace)}`, workspace)
} finally {
  server?.kill()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

/** code-server and the Node it needs, both from npm; its native modules are not built: debugging needs none. */
function install() {
  const npm = (args, cwd) =>
    execFileSync('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd,
      stdio: ['ignore', 'inherit', 'inherit'],
    })
  const place = installed ?? folder
  const package_ = join(place, 'node_modules/code-server')
  const home = join(place, `node_modules/node-linux-${process.arch}`)
  if (installed === undefined) {
    writeFileSync(scratch('package.json'), '{}')
    npm(
      ['install', '--ignore-scripts', `code-server@${CODE_SERVER}`, `node-linux-${process.arch}@24`],
      folder,
    )
    npm(['install', '--omit=dev', '--ignore-scripts'], join(package_, 'lib/vscode'))
  }
  return { node: join(home, 'bin/node'), entry: join(package_, 'out/node/entry.js') }
}

/** A folder as after an incident: a core, its program, and how to open them. */
function incident() {
  const env = { ...process.env, TMPDIR: folder }
  execFileSync(process.execPath, [join(ROOT, 'dist/cli.js'), 'demo', '--keep', '--format', 'json'], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const made = readdirSync(folder).find((name) => name.startsWith('arena-inspect-demo-'))
  const workspace = scratch('incident')
  renameSync(scratch(made), workspace)
  mkdirSync(join(workspace, '.vscode'))
  const configuration = {
    type: 'arena-inspect',
    request: 'launch',
    name: 'Inspect a core',
    core: join(workspace, 'core.demo'),
    program: join(workspace, 'arena-bloat'),
  }
  writeFileSync(
    join(workspace, '.vscode/launch.json'),
    JSON.stringify({ version: '0.2.0', configurations: [configuration] }),
  )
  return workspace
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => probe.once('listening', resolve))
  const { port } = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  return port
}

async function drive(url, workspace) {
  const browser = await puppeteer.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] })
  try {
    const page = await browser.newPage()
    page.setDefaultTimeout(DEADLINE_MS)
    await page.setViewport(SIZE)
    await waitForServer(page, url)
    await page.waitForSelector('.monaco-workbench .explorer-folders-view')
    await command(page, 'View: Show Run and Debug')
    await page.waitForSelector('.codicon-debug-start')
    await command(page, 'Debug: Start Debugging')
    // What the adapter says first, what it stopped for, and the scopes of the frame that is selected by itself.
    await showsText(page, '.repl', /CRITICAL +64 arenas hold/)
    await showsText(page, '.debug-call-stack', /Ended by SIGABRT/)
    await showsText(page, '.debug-variables', /Arenas.*Ledger.*Findings.*Regions/s)
    await expand(page, 'Arenas')
    await showsText(page, '.debug-variables', /\[0\] main.*\[3\]/s)
    await picture(page, 'arenas', workspace)
    await command(page, 'arena-inspect: Show arenas')
    const report = await reportFrame(page)
    await report.waitForSelector('#treemap .region')
    const theme = await report.evaluate(() => document.documentElement.dataset.theme)
    if (theme !== 'dark') throw new Error(`the report is not in the editor's theme, but ${theme}`)
    await picture(page, 'report', workspace)
  } catch (error) {
    const path = join(tmpdir(), 'arena-inspect-vscode-failed.png')
    await (await browser.pages()).at(-1).screenshot({ path })
    console.error(`what was on the screen is in ${path}`)
    throw error
  } finally {
    await browser.close()
  }
}

async function waitForServer(page, url) {
  const end = Date.now() + DEADLINE_MS
  for (;;) {
    try {
      await page.goto(url, { waitUntil: 'load' })
      return
    } catch (error) {
      if (Date.now() > end) throw error
      await pause(500)
    }
  }
}

/** Runs a command of the palette, once it is offered: extensions come after the window. */
async function command(page, title) {
  const end = Date.now() + DEADLINE_MS
  for (;;) {
    await page.keyboard.press('F1')
    await page.waitForSelector('.quick-input-widget input')
    await page.keyboard.type(title)
    await pause(1500)
    const rows = await page.$$('.quick-input-list .monaco-list-row')
    for (const row of rows) {
      const [name] = (await row.evaluate((element) => element.ariaLabel ?? '')).split(',')
      if (name === title) return row.click()
    }
    await page.keyboard.press('Escape')
    if (Date.now() > end) throw new Error(`${title} was never offered`)
  }
}

async function expand(page, scope) {
  const rows = await page.$$('.debug-variables .monaco-list-row')
  for (const row of rows) {
    if ((await row.evaluate(({ textContent }) => textContent.trim())) === scope) return row.click()
  }
  throw new Error(`there is no scope ${scope}`)
}

async function showsText(page, selector, wanted) {
  const end = Date.now() + DEADLINE_MS
  for (;;) {
    const texts = await page.$$eval(selector, (found) => found.map(({ textContent }) => textContent))
    // Spaces of a list's rows are non-breaking.
    if (wanted.test(texts.join('\n').replaceAll('\u00a0', ' '))) return
    if (Date.now() > end) throw new Error(`${selector} never showed ${wanted}:\n${texts.join('\n')}`)
    await pause(200)
  }
}

/** The document in the webview's inner frame. */
async function reportFrame(page) {
  const end = Date.now() + DEADLINE_MS
  for (;;) {
    for (const frame of page.frames()) {
      if (await frame.$('#treemap').catch(() => null)) return frame
    }
    if (Date.now() > end) throw new Error('the report never came')
    await pause(200)
  }
}

/** The window without the folder that the core was in: it says nothing. */
async function picture(page, name, workspace) {
  await pause(1000)
  for (const frame of page.frames()) {
    await frame.evaluate((place) => {
      const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
      while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replaceAll(place, '')
    }, `${workspace}/`)
  }
  await page.screenshot({ path: join(ROOT, `docs/pictures/vscode-${name}.png`) })
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
