// What can be typed after `:`, as data.
import type { Report } from '../../report/report.js'
import type { Wish } from './dialog.js'
import type { PaneId } from './tui-state.js'

/** A command, or why the text is none. */
export type Command =
  | { readonly kind: 'address'; readonly at: bigint; readonly view: 'bytes' | 'words' | null }
  | { readonly kind: 'chunk'; readonly at: bigint }
  | { readonly kind: 'arena'; readonly index: number }
  | { readonly kind: 'pane'; readonly pane: PaneId }
  | { readonly kind: 'find'; readonly text: string }
  | { readonly kind: 'export'; readonly format: string; readonly file: string }
  | { readonly kind: 'every'; readonly seconds: number | null }
  | { readonly kind: 'mouse'; readonly on: boolean }
  | { readonly kind: 'wish'; readonly wish: Wish }
  | { readonly kind: 'quit' | 'help' | 'refresh' | 'nothing' }
  | { readonly kind: 'error'; readonly text: string }

const WORDS: Readonly<Record<string, Command>> = {
  '': { kind: 'nothing' },
  q: { kind: 'quit' },
  quit: { kind: 'quit' },
  help: { kind: 'help' },
  '?': { kind: 'help' },
  refresh: { kind: 'refresh' },
  trim: { kind: 'wish', wish: { what: 'trim' } },
  overview: { kind: 'pane', pane: 'overview' },
  arenas: { kind: 'pane', pane: 'arenas' },
  'heap map': { kind: 'pane', pane: 'heap-map' },
  map: { kind: 'pane', pane: 'heap-map' },
  chunks: { kind: 'pane', pane: 'chunks' },
  memory: { kind: 'pane', pane: 'memory' },
  threads: { kind: 'pane', pane: 'threads' },
  findings: { kind: 'pane', pane: 'findings' },
  regions: { kind: 'pane', pane: 'regions' },
}

/** Reads what follows a command's first word. */
type Reader = (rest: string, report: Report) => Command

const READERS: Readonly<Record<string, Reader>> = {
  a: arenaCommand,
  arena: arenaCommand,
  chunk: (rest) =>
    rest === '' ? { kind: 'pane', pane: 'chunks' } : withAddress(rest, (at) => ({ kind: 'chunk', at })),
  find: (text) =>
    text === '' ? error('find takes text, 0xPOINTER, or bytes such as de ad be ef') : { kind: 'find', text },
  export: exportCommand,
  every: everyCommand,
  mouse: (rest) =>
    rest === 'on' || rest === 'off' ? { kind: 'mouse', on: rest === 'on' } : error('mouse takes on or off'),
  limit: limitCommand,
}

/** Words that begin a command, for completion. */
export const COMMAND_WORDS: readonly string[] = [
  ...Object.keys(WORDS).filter((word) => word.length > 1),
  ...['arena', 'chunk', 'find', 'export', 'every', 'mouse', 'limit', 'x'].map((word) => `${word} `),
]

function error(text: string): Command {
  return { kind: 'error', text }
}

/**
 * Reads `7f8f98000020`, `0x7f8f98000020 + 0x60`, `x/40a ADDRESS`, `arena 3`, `arena main`, `chunk ADDRESS`,
 * `find TEXT`, `export FORMAT FILE`, `every SECONDS|off`, `trim`, `limit N`, `mouse on|off`, a pane's name, `help`,
 * `refresh` or `quit`. Addresses are hexadecimal with or without `0x`; other numbers are decimal.
 */
export function parseCommand(text: string, report: Report): Command {
  const line = text.trim()
  const word = WORDS[line.toLowerCase()]
  if (word) return word
  const examine = /^x(?:\/(\d*)([a-z]*))?\s+(.+)$/i.exec(line)
  if (examine) return examineCommand(examine[2] ?? '', examine[3]!)
  const [first = '', rest = ''] = /^(\S+)(?:\s+([\s\S]*))?$/.exec(line)?.slice(1) ?? []
  const name = first.toLowerCase()
  const reader = Object.hasOwn(READERS, name) ? READERS[name] : undefined
  if (reader && !(name === 'a' && rest === '')) return reader(rest, report)
  const at = addressOf(line)
  if (at === null) return error(`"${line}" is no address and no command: Tab lists the commands`)
  return withAddress(line, (address) => ({ kind: 'address', at: address, view: null }))
}

function addressOf(text: string): bigint | null {
  const sum = /^(?:0x)?([0-9a-f]+)(?:\s*([+-])\s*(?:0x)?([0-9a-f]+))?$/i.exec(text.trim())
  if (!sum) return null
  const more = sum[3] ? BigInt(`0x${sum[3]}`) : 0n
  return BigInt(`0x${sum[1]}`) + (sum[2] === '-' ? -more : more)
}

function withAddress(text: string, then: (at: bigint) => Command): Command {
  const at = addressOf(text)
  if (at === null) return error(`"${text}" is not an address: type hex, hex+hex or hex-hex`)
  if (at < 0n || at >> 64n) return error('an address is between 0 and 0xffffffffffffffff')
  return then(at)
}

/** gdb's letters: a, g, w and x show words, the others bytes. How many is what fits the screen. */
function examineCommand(letters: string, where: string): Command {
  const view = letters === '' ? null : /[agwx]/.test(letters) && !/[bcs]/.test(letters) ? 'words' : 'bytes'
  return withAddress(where, (at) => ({ kind: 'address', at, view }))
}

function arenaCommand(name: string, report: Report): Command {
  const arenas = report.heap?.arenas ?? []
  if (arenas.length === 0) return error('no malloc arenas were found in this target')
  const index = name.toLowerCase() === 'main' ? 0 : /^\d+$/.test(name) ? Number(name) : -1
  if (arenas.some((candidate) => candidate.index === index)) return { kind: 'arena', index }
  return error(`no arena ${name}: there are ${arenas.length}, from 0 to ${arenas.at(-1)!.index}`)
}

function exportCommand(rest: string): Command {
  const [format, file] = /^(\S+)\s+(.+)$/.exec(rest)?.slice(1) ?? []
  if (format === undefined || file === undefined)
    return error('export takes a format and a file: export markdown report.md')
  return { kind: 'export', format: format.toLowerCase(), file: file.trim() }
}

const MOST_SECONDS = 86_400

function everyCommand(rest: string): Command {
  if (rest === 'off' || rest === '0') return { kind: 'every', seconds: null }
  const seconds = /^(\d{1,5})s?$/.exec(rest)?.[1]
  if (seconds === undefined || Number(seconds) > MOST_SECONDS) return error('every takes seconds, or off')
  return { kind: 'every', seconds: Number(seconds) }
}

function limitCommand(rest: string): Command {
  const arenaMax = /^\d{1,9}$/.test(rest) ? Number(rest) : 0
  if (arenaMax < 1) return error('limit takes the most arenas there may be, 1 or more')
  return { kind: 'wish', wish: { what: 'limit', arenaMax } }
}
