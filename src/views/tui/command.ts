// What can be typed after `:`, as data.
import type { Report } from '../../report/report.js'
import type { PaneId } from './tui-state.js'

/** A command, or why the text is none. */
export type Command =
  | { readonly kind: 'address'; readonly at: bigint }
  | { readonly kind: 'pane'; readonly pane: PaneId }
  | { readonly kind: 'quit' | 'help' | 'refresh' | 'nothing' }
  | { readonly kind: 'error'; readonly text: string }

const WORDS: Readonly<Record<string, Command>> = {
  '': { kind: 'nothing' },
  q: { kind: 'quit' },
  quit: { kind: 'quit' },
  help: { kind: 'help' },
  '?': { kind: 'help' },
  refresh: { kind: 'refresh' },
  overview: { kind: 'pane', pane: 'overview' },
  arenas: { kind: 'pane', pane: 'arenas' },
  memory: { kind: 'pane', pane: 'memory' },
  threads: { kind: 'pane', pane: 'threads' },
  findings: { kind: 'pane', pane: 'findings' },
  regions: { kind: 'pane', pane: 'regions' },
}

/**
 * Reads `7f8f98000020`, `0x7f8f98000020 + 0x60`, `arena 3`, `arena main`, a pane's name, `help`, `refresh` or
 * `quit`. Numbers are hexadecimal with or without `0x`, except the arena's.
 */
export function parseCommand(text: string, report: Report): Command {
  const words = text.trim().toLowerCase()
  const word = WORDS[words]
  if (word) return word
  const arena = /^(?:a|arena)\s+(\S+)$/.exec(words)
  if (arena) return arenaCommand(arena[1]!, report)
  const sum = /^(?:0x)?([0-9a-f]+)(?:\s*([+-])\s*(?:0x)?([0-9a-f]+))?$/.exec(words)
  if (!sum)
    return { kind: 'error', text: `"${text.trim()}" is not an address: type hex, arena N, or a pane's name` }
  const more = sum[3] ? BigInt(`0x${sum[3]}`) : 0n
  const at = BigInt(`0x${sum[1]}`) + (sum[2] === '-' ? -more : more)
  if (at < 0n || at >> 64n) return { kind: 'error', text: 'an address is between 0 and 0xffffffffffffffff' }
  return { kind: 'address', at }
}

function arenaCommand(name: string, report: Report): Command {
  const arenas = report.heap?.arenas ?? []
  if (arenas.length === 0) return { kind: 'error', text: 'no malloc arenas were found in this target' }
  const index = name === 'main' ? 0 : /^\d+$/.test(name) ? Number(name) : -1
  const arena = arenas.find((candidate) => candidate.index === index)
  if (arena) return { kind: 'address', at: BigInt(arena.heaps[0]?.address ?? arena.address) }
  return {
    kind: 'error',
    text: `no arena ${name}: there are ${arenas.length}, from 0 to ${arenas.at(-1)!.index}`,
  }
}
