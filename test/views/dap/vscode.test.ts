// The VS Code extension: what its package holds, and that what it starts is our adapter. `npm run pictures:vscode` has it in VS Code itself.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire, Module } from 'node:module'
import { join } from 'node:path'
import t from 'tap'
import { ERRORS } from '../../../src/views/dap/errors.js'
import { ROOT, scratch } from '../../support/programs.js'

interface Manifest {
  readonly contributes: {
    readonly commands: readonly { readonly command: string }[]
    readonly debuggers: readonly {
      readonly type: string
      readonly configurationAttributes: Readonly<Record<string, { readonly properties: object }>>
      readonly configurationSnippets: readonly { readonly body: Readonly<Record<string, unknown>> }[]
      readonly variables: Readonly<Record<string, string>>
    }[]
  }
}

const manifest = JSON.parse(readFileSync(join(ROOT, 'editors/vscode/package.json'), 'utf8')) as Manifest
const [debuggerType] = manifest.contributes.debuggers

/** A stand-in for the `vscode` module that keeps what is registered. */
function activated(command: string) {
  const commands = new Map<string, (...args: unknown[]) => unknown>()
  const started: Record<string, unknown>[] = []
  let factory: { createDebugAdapterDescriptor(): Promise<{ command: string; args: string[] }> } | undefined
  const picked = { label: 'init', pid: 1 }
  let offered: readonly { label: string; description: string; pid: number }[] = []
  const vscode = {
    workspace: {
      getConfiguration: () => ({ get: (name: string) => (name === 'command' ? command : '') }),
    },
    window: {
      showQuickPick: async (items: typeof offered) => {
        offered = items
        return picked
      },
      showOpenDialog: async () => [{ fsPath: '/cores/core.6' }],
    },
    commands: { registerCommand: (name: string, run: () => unknown) => commands.set(name, run) },
    debug: {
      startDebugging: async (_: unknown, configuration: Record<string, unknown>) =>
        started.push(configuration),
      registerDebugAdapterDescriptorFactory: (_: string, given: typeof factory) => {
        factory = given
      },
      registerDebugConfigurationProvider: () => {},
    },
    DebugAdapterExecutable: class {
      constructor(
        readonly command: string,
        readonly args: string[],
      ) {}
    },
  }
  const loader = Module as unknown as { _load(name: string, ...rest: unknown[]): unknown }
  const load = loader._load
  loader._load = (name, ...rest) => (name === 'vscode' ? vscode : load.call(Module, name, ...rest))
  const require = createRequire(import.meta.url)
  const path = join(ROOT, 'editors/vscode/extension.js')
  delete require.cache[path]
  const extension = require(path) as {
    activate(context: { subscriptions: unknown[] }): void
    targetOf(configuration: object): string[]
  }
  loader._load = load
  extension.activate({ subscriptions: [] })
  return {
    commands,
    started,
    factory: factory!,
    targetOf: extension.targetOf,
    offered: () => offered,
  }
}

t.test('every command and variable that it contributes is there', async (t) => {
  const program = join(scratch(), 'arena-inspect')
  writeFileSync(program, `#!/bin/sh\nexec ${process.execPath} ${join(ROOT, 'dist/cli.js')} "$@"\n`, {
    mode: 0o755,
  })
  const { commands, started, factory, targetOf, offered } = activated(program)
  const names = [
    ...manifest.contributes.commands.map(({ command }) => command),
    ...Object.values(debuggerType!.variables),
  ]
  for (const name of names) t.ok(commands.has(name), name)
  t.match(await factory.createDebugAdapterDescriptor(), { command: program, args: ['dap'] })
  await commands.get('arena-inspect.inspectCore')!()
  await commands.get('arena-inspect.inspectProcess')!()
  const own = offered().find(({ pid }) => pid === process.pid)
  t.match(own, { label: 'node', description: String(process.pid) }, 'a process by its program and number')
  t.match(started, [
    { type: 'arena-inspect', request: 'launch', core: '/cores/core.6' },
    { type: 'arena-inspect', request: 'attach', pid: '1' },
  ])
  t.same(targetOf({ core: '/c', program: '/p', sysroot: '/s' }), ['/c', '/p', '--sysroot', '/s'])
  t.same(targetOf({ pid: '6' }), ['--pid', '6'])
})

t.test('a program that is not there is named, with what to do', async (t) => {
  await t.rejects(activated('/nowhere/arena-inspect').factory.createDebugAdapterDescriptor(), {
    message: /^\/nowhere\/arena-inspect is not found; .*setting arena-inspect\.command/,
  })
})

t.test('snippets use only what the adapter takes', async (t) => {
  const known = new Set([
    'type',
    'request',
    'name',
    ...Object.keys(debuggerType!.configurationAttributes.launch!.properties),
  ])
  for (const { body } of debuggerType!.configurationSnippets)
    t.same(
      Object.keys(body).filter((key) => !known.has(key)),
      [],
      String(body.name),
    )
})

t.test('the .vsix is built, and the same each time', async (t) => {
  const folder = scratch()
  const build = (name: string) =>
    spawnSync(process.execPath, [join(ROOT, '.ci/build-vsix.mjs'), join(folder, name)], { encoding: 'utf8' })
  t.equal(build('a.vsix').stderr, '')
  build('b.vsix')
  const bytes = readFileSync(join(folder, 'a.vsix'))
  t.ok(bytes.equals(readFileSync(join(folder, 'b.vsix'))))
  const list = bytes.toString('latin1')
  for (const file of [
    'extension.vsixmanifest',
    '[Content_Types].xml',
    'extension/package.json',
    'extension/extension.js',
  ])
    t.ok(list.includes(file), file)
})

t.test('the documentation names every error id, once', async (t) => {
  const text = readFileSync(join(ROOT, 'docs/editors.md'), 'utf8')
  const told = [...text.matchAll(/^\| (1\d{3}) \|/gm)].map(([, id]) => Number(id))
  t.same(
    told,
    Object.values(ERRORS).map(({ id }) => id),
  )
})
