// Shell completions in the shells themselves, and the man page in roff.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { arenaInspect } from '../support/command.js'
import { ROOT, scratch } from '../support/programs.js'
import { noTmux, TmuxTerminal } from '../support/tmux.js'

const folder = scratch()
writeFileSync(join(folder, 'core.6'), '')
writeFileSync(join(folder, 'core of seven'), '')
mkdirSync(join(folder, 'cores'))

const help = (await arenaInspect(['--help'])).stdout
const commands = [...help.slice(help.indexOf('\nCommands:')).matchAll(/^ {2}([a-z]+) .*$/gm)]
  .map(([, name]) => name!)
  .filter((name) => name !== 'help')

async function script(shell: string): Promise<string> {
  const { stdout, code } = await arenaInspect(['completion', shell])
  t.equal(code, 0)
  const file = join(folder, `completion.${shell}`)
  writeFileSync(file, stdout)
  return file
}

function run(command: string, ...args: readonly string[]): string {
  const { stdout, stderr, status, error } = spawnSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    timeout: 60_000,
  })
  if (error) throw error
  if (status !== 0 || stderr !== '') throw new Error(`${command} ended with ${status}: ${stderr}`)
  return stdout
}

function has(t: Test, program: string): boolean {
  const isThere = spawnSync('/bin/sh', ['-c', `command -v ${program}`]).status === 0
  if (!isThere) t.comment(`skipped: there is no ${program}`)
  return isThere
}

t.test('bash', async (t) => {
  const file = await script('bash')
  const words = `source "$0"; [[ $(complete -p arena-inspect) == *_arena_inspect* ]] || exit 9
COMP_WORDS=(arena-inspect "$@"); COMP_CWORD=$#; _arena_inspect; printf '%s\\n' "\${COMPREPLY[@]}"`
  const completed = (...typed: string[]) =>
    run('bash', '--norc', '-c', words, file, ...typed)
      .split('\n')
      .filter((line) => line !== '')
  const first = completed('')
  t.same(
    commands.filter((name) => !first.includes(name)),
    [],
    'every command',
  )
  t.ok(commands.length > 15 && first.includes('core of seven') && first.includes('core.6'), 'and every file')
  t.same(completed('rep'), ['report'])
  t.same(completed('report', '--form'), ['--format'])
  t.same(completed('report', '--format', ''), ['text', 'json', 'markdown', 'html'])
  t.same(completed('chunks', '--format', ''), ['text', 'ndjson'], 'of its own command')
  t.same(completed('report', '--pid', ''), [], 'a number')
  t.same(completed('report', '--json', 'core.'), ['core.6'])
  t.same(completed('report', '-o', 'core.'), ['core.6'])
  t.same(completed('trim', '--dry'), ['--dry-run'])
  t.same(completed('--fail-on', 'c'), ['critical'], 'the bare command')
  t.same(completed('completion', 'f'), ['fish'])
})

t.test('fish', async (t) => {
  if (!has(t, 'fish')) return
  const file = await script('fish')
  const completed = (line: string) =>
    run('fish', '--no-config', '-c', 'source $argv[1]; complete -C $argv[2]', file, line)
      .split('\n')
      .map((row) => row.split('\t')[0]!)
      .filter((row) => row !== '')
  const first = completed('arena-inspect ')
  t.same(
    commands.filter((name) => !first.includes(name)),
    [],
  )
  t.same(completed('arena-inspect report --format '), ['html', 'json', 'markdown', 'text'])
  t.same(completed('arena-inspect trim --dry'), ['--dry-run'])
  t.ok(completed('arena-inspect report co').includes('core.6'))
})

t.test('zsh', async (t) => {
  if (!has(t, 'zsh')) return
  const file = await script('zsh')
  run('zsh', '-f', '-n', file)
  const registered = 'autoload -Uz compinit; compinit -u -D; source $0; print -r -- $_comps[arena-inspect]'
  t.equal(run('zsh', '-f', '-c', registered, file).trim(), '_arena_inspect')
  const missing = noTmux()
  if (missing) {
    t.pass('what is typed is completed', { skip: missing })
    return
  }
  const terminal = new TmuxTerminal({ columns: 100, rows: 20 })
  t.teardown(() => terminal.close())
  await terminal.until(/ready>/)
  terminal.type('exec zsh -f')
  terminal.type(`PS1='zsh-ready> '; autoload -Uz compinit; compinit -u -D; source ${file}; clear`)
  await terminal.until(/^zsh-ready> *$/m)
  terminal.paste('arena-inspect trim --dry-r')
  await terminal.until(/--dry-r$/m)
  terminal.press('Tab')
  t.match(await terminal.until(/--dry-run/), /^zsh-ready> arena-inspect trim --dry-run/m)
})

t.test('the man page', async (t) => {
  const page = join(ROOT, 'dist/man/arena-inspect.1')
  const { stdout } = await arenaInspect(['man'])
  t.equal(readFileSync(page, 'utf8'), stdout, 'the package has it')
  for (const name of commands) t.match(stdout, `\n.SS ${name}\n`)
  if (has(t, 'groff')) t.equal(run('groff', '-man', '-ww', '-z', page), '', 'no warning')
  if (has(t, 'mandoc')) {
    const { stdout } = spawnSync('mandoc', ['-Tlint', '-Wwarning', page], { encoding: 'utf8' })
    // A date would make each build another one.
    t.match(stdout, /^[^\n]*missing date[^\n]*\n$/, 'no other warning')
  }
  if (has(t, 'man')) {
    const text = run(
      '/bin/sh',
      '-c',
      'MANPAGER=cat MANWIDTH=100 man -l "$0" 2>/dev/null | col -bx',
      page,
    ).replace(/\s+/g, ' ')
    const severity = 'exit with 3 when a finding is at least this severe (one of info, warning, critical)'
    t.match(text, `--fail-on <severity> ${severity}`)
    t.match(text, /arena-inspect batch \/var\/crash -o reports --jobs 4/)
  }
})
