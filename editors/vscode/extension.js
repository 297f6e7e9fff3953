// The VS Code extension: starts `arena-inspect dap` for a session, and shows the HTML report of what a session has open.
const { execFile } = require('node:child_process')
const { readdirSync, readFileSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { basename } = require('node:path')
const vscode = require('vscode')

const TYPE = 'arena-inspect'
const MOST_REPORT_BYTES = 256 << 20

function setting(name) {
  return vscode.workspace.getConfiguration(TYPE).get(name)
}

/** Processes of this machine, the youngest first; what has no command line is a kernel thread. */
function processes() {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
        const detail = words.join(' ').trim().slice(0, 500)
        // Not its comm, which is the name of its main thread: MainThread for node.
        return detail === ''
          ? []
          : [{ label: basename(words[0]), description: pid, detail, pid: Number(pid) }]
      } catch {
        return [] // It has ended meanwhile.
      }
    })
    .sort((a, b) => b.pid - a.pid)
}

async function pickProcess() {
  const picked = await vscode.window.showQuickPick(processes(), {
    placeHolder: 'Which process? It is read while it runs.',
    matchOnDescription: true,
    matchOnDetail: true,
  })
  return picked ? String(picked.pid) : undefined
}

async function inspectCore() {
  const [core] =
    (await vscode.window.showOpenDialog({ title: 'Inspect which core?', canSelectMany: false })) ?? []
  if (!core) return
  await vscode.debug.startDebugging(undefined, {
    type: TYPE,
    request: 'launch',
    name: `arena-inspect: ${core.fsPath}`,
    core: core.fsPath,
  })
}

async function inspectProcess() {
  const pid = await pickProcess()
  if (!pid) return
  await vscode.debug.startDebugging(undefined, {
    type: TYPE,
    request: 'attach',
    name: `arena-inspect: process ${pid}`,
    pid,
  })
}

/** The arguments of `arena-inspect report` for what a session has open; the program reads it anew. */
function targetOf({ core, program, pid, report, sysroot, gdbPath }) {
  const target = pid ? ['--pid', String(pid)] : [core ?? report, ...(core && program ? [program] : [])]
  return [...target, ...(sysroot ? ['--sysroot', sysroot] : []), ...(gdbPath ? ['--gdb', gdbPath] : [])]
}

/** Why the program could not be started, for people. */
function startError({ code, message }) {
  return code === 'ENOENT'
    ? `${setting('command')} is not found; install arena-inspect, or name its path in the setting arena-inspect.command`
    : message
}

/** VS Code itself tells nothing when the program of an adapter cannot be started. */
function adapter() {
  const command = setting('command')
  return new Promise((resolve, reject) => {
    execFile(command, ['--version'], (error) => {
      if (error) reject(new Error(startError(error)))
      else resolve(new vscode.DebugAdapterExecutable(command, ['dap']))
    })
  })
}

function report(configuration) {
  const args = ['report', ...targetOf(configuration), '--format', 'html']
  return new Promise((resolve, reject) => {
    execFile(
      setting('command'),
      args,
      { maxBuffer: MOST_REPORT_BYTES, cwd: configuration.cwd ?? tmpdir() },
      (error, stdout, stderr) => {
        if (error) reject(new Error(stderr.trim().split('\n').pop() || startError(error)))
        else resolve(stdout)
      },
    )
  })
}

async function showArenas() {
  const session = vscode.debug.activeDebugSession
  if (session?.type !== TYPE) return
  const reading = {
    location: vscode.ProgressLocation.Notification,
    title: 'arena-inspect: making the report',
  }
  try {
    const html = await vscode.window.withProgress(reading, () => report(session.configuration))
    const options = { enableScripts: true, localResourceRoots: [], retainContextWhenHidden: true }
    const panel = vscode.window.createWebviewPanel(
      'arena-inspect.arenas',
      session.name,
      vscode.ViewColumn.Active,
      options,
    )
    // The report's own policy lets nothing in from outside.
    panel.webview.html = html
  } catch (error) {
    vscode.window.showErrorMessage(`arena-inspect: ${error.message}`)
  }
}

function activate(context) {
  context.subscriptions.push(
    vscode.commands.registerCommand('arena-inspect.inspectCore', inspectCore),
    vscode.commands.registerCommand('arena-inspect.inspectProcess', inspectProcess),
    vscode.commands.registerCommand('arena-inspect.pickProcess', pickProcess),
    vscode.commands.registerCommand('arena-inspect.showArenas', showArenas),
    vscode.debug.registerDebugAdapterDescriptorFactory(TYPE, { createDebugAdapterDescriptor: adapter }),
    vscode.debug.registerDebugConfigurationProvider(TYPE, {
      resolveDebugConfiguration(_folder, configuration) {
        const gdbPath = setting('gdbPath')
        return gdbPath && !configuration.gdbPath ? { ...configuration, gdbPath } : configuration
      },
    }),
  )
}

module.exports = { activate, deactivate() {}, targetOf }
