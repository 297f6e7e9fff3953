// Console commands about an address, or about finding one.
import { printable } from '../../format/printable.js'
import { type Address, address, hex } from '../../memory/address.js'
import type { Debuggee } from '../../session/debuggee.js'
import { NeedleError } from '../../session/needle.js'
import type { Session } from '../../session/session.js'
import type { Work } from '../../views/dap/services.js'
import { ConsoleError } from '../../views/dap/services.js'
import { renderHex } from '../../views/text/hex-dump.js'
import { wholeNumber } from '../byte-count.js'
import { wordsText } from '../commands/x.js'
import { type ConsoleCommand, heapOf, usageError } from './console-command.js'

const MOST_BYTES = 64 << 10

const x: ConsoleCommand = {
  name: 'x',
  usage: 'ADDRESS [--count N] [--as words|hex]',
  about: "memory as gdb's x prints it, with symbols and chunk marks",
  options: {
    count: { about: 'words, or bytes with --as hex (40)', takes: 'N' },
    as: { about: 'what to show', takes: 'words|hex' },
  },
  async run(debuggee, words) {
    const start = placeOf(debuggee, this, words.positional)
    const as = words.value('as') ?? 'words'
    if (as !== 'words' && as !== 'hex') throw usageError(this, '--as takes words or hex')
    const { session } = debuggee
    const unit = as === 'hex' ? 1 : session.wordBytes
    const length = wholeNumber(words.value('count') ?? '40', '--count') * unit
    if (length > MOST_BYTES) throw usageError(this, `--count: at most ${MOST_BYTES / unit}`)
    const memory = session.read(start, length)
    if (as === 'hex') return renderHex(memory)
    const missing = memory.known.indexOf(0)
    const readable = missing < 0 ? length : missing - (missing % unit)
    const text = readable === 0 ? '' : await wordsText(session, start, memory.bytes.subarray(0, readable))
    return missing < 0 ? text : `${text}${memory.fault}`
  },
}

const what: ConsoleCommand = {
  name: 'what',
  usage: 'ADDRESS',
  about: 'what is at an address',
  options: {},
  async run(debuggee, { positional }) {
    const at = placeOf(debuggee, this, positional)
    const [symbol] = await debuggee.session.symbolsOf([at])
    const { lines } = debuggee.session.describe(at)
    return [...(symbol ? [`${hex(at)} <${symbol}>`] : []), ...lines].map(printable).join('\n')
  },
}

const LIMIT = 100

const find: ConsoleCommand = {
  name: 'find',
  usage: 'TEXT|0xADDRESS [--limit N]',
  about: 'where this text, or pointers to this address, are',
  options: { limit: { about: `at most so many (${LIMIT})`, takes: 'N' } },
  async run(debuggee, words, work) {
    const [text, extra] = words.positional
    if (text === undefined || text === '' || extra !== undefined)
      throw usageError(this, 'takes one text, in quotes where it has spaces')
    const limit = wholeNumber(words.value('limit') ?? String(LIMIT), '--limit')
    const { session } = debuggee
    const { at, isAll } = await placesOf(session, text, limit, work)
    const lines = at.map(
      (place) => `${hex(place)}  ${session.describe(place).lines.map(printable).join('; ')}`,
    )
    return [...lines, `${at.length} found${isAll ? '' : ', and more: --limit shows them'}`].join('\n')
  },
}

async function placesOf(session: Session, text: string, limit: number, work: Work) {
  const at: Address[] = []
  try {
    for (const step of session.search(text, null, 1)) {
      if (step.at !== null) {
        if (at.length === limit) return { at, isAll: false }
        at.push(step.at)
        continue
      }
      work.tell(`searching, ${at.length} found`, 100 * step.fraction)
      await work.breathe()
    }
  } catch (error) {
    if (error instanceof NeedleError) throw new ConsoleError(error.message, error.hint)
    throw error
  }
  return { at, isAll: true }
}

function placeOf(debuggee: Debuggee, command: ConsoleCommand, positional: readonly string[]): Address {
  const [text = '', extra] = positional
  const arena = /^arena:(\d+)$/.exec(text)
  if (arena) {
    const found = heapOf(debuggee).arenas[Number(arena[1])]
    if (found) return address(BigInt(found.address))
  }
  if (!/^(0x)?[0-9a-f]{1,16}$/i.test(text) || extra !== undefined)
    throw usageError(command, 'takes an address, 0x… or arena:N')
  return address(BigInt(text.toLowerCase().startsWith('0x') ? text : `0x${text}`))
}

export const MEMORY_COMMANDS: readonly ConsoleCommand[] = [x, what, find]
