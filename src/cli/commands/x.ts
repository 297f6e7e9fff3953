// `arena-inspect x`: memory of a target as gdb's x prints it, with symbols and chunk marks.
import { type Address, address, hex, offset } from '../../memory/address.js'
import type { TargetSession } from '../../session/open-session.js'
import type { ChunkMark, Session } from '../../session/session.js'
import { renderHex } from '../../views/text/hex-dump.js'
import { plainTable } from '../../views/text/plain-table.js'
import { renderWords, wordsPerLine } from '../../views/text/words-dump.js'
import { CommandError, EXIT, type ExitCode, UsageError } from '../exit.js'
import { output } from '../finish.js'
import { chooseTarget, open, type TargetOptions } from '../target-arguments.js'
import { say } from '../terminal.js'

export interface XOptions extends TargetOptions {
  readonly count: string
  readonly as: 'words' | 'hex' | 'chunks'
  readonly json?: boolean
}

const MOST = 1_000_000

export async function runX(positional: readonly string[], options: XOptions): Promise<ExitCode> {
  const count = Number(options.count)
  if (!/^\d+$/.test(options.count) || count < 1 || count > MOST) {
    throw new UsageError(
      `--count takes 1 … ${MOST}, not ${JSON.stringify(options.count)}`,
      'see arena-inspect x --help',
    )
  }
  const { choice: bare, rest } = chooseTarget(positional, options)
  const withProgram = bare.kind === 'core' && rest.length === 2
  const choice = withProgram ? { ...bare, program: rest[0]! } : bare
  const [where, extra] = withProgram ? rest.slice(1) : rest
  if (where === undefined || extra !== undefined) {
    throw new UsageError(
      'name a target and an address',
      'e.g. arena-inspect x core.6 0x7f8f98000020 --count 40',
    )
  }
  const session = await open(choice, options)
  try {
    return await dump(session, await addressOf(session, where), count, options)
  } finally {
    await session.close()
  }
}

// 0xHEX, `arena:N`, or the name of a variable of libc.
async function addressOf(session: TargetSession, text: string): Promise<Address> {
  const number = /^(?:0x)?([0-9a-f]{1,16})$/i.exec(text)
  if (number && (text.startsWith('0x') || /^\d/.test(text))) return address(BigInt(`0x${number[1]}`))
  const arena = /^arena:(\d+)$/.exec(text)
  if (arena) {
    const found = session.measurement.malloc?.model.arenas[Number(arena[1])]
    if (found) return found.address
    throw new CommandError(`there is no arena ${arena[1]}`, 'arena-inspect arenas lists them')
  }
  const symbols = await session.symbols?.addressesOf([text.replace(/^&/, '')])
  const [found] = symbols?.values() ?? []
  if (found !== undefined) return found
  const why = session.symbols?.warnings[0]
  throw new CommandError(
    why === undefined
      ? `${text} is no address`
      : `${text} is no address, or its symbol is not at hand: ${why}`,
    'give 0xHEX, arena:N, or a variable of libc such as main_arena',
  )
}

async function dump(
  session: TargetSession,
  start: Address,
  count: number,
  options: XOptions,
): Promise<ExitCode> {
  const unit = options.as === 'hex' ? 1 : session.wordBytes
  const length = count * unit
  const memory = session.read(start, length)
  const missing = memory.known.indexOf(0)
  const readable = missing < 0 ? length : missing
  if (readable < unit)
    throw new CommandError(
      memory.fault ?? 'nothing can be read there',
      'arena-inspect maps lists what is mapped',
    )
  if (options.as === 'hex') {
    if (options.json)
      output(
        `${JSON.stringify({ address: hex(start), bytes: Buffer.from(memory.bytes.subarray(0, readable)).toString('hex') })}\n`,
      )
    else output(renderHex(memory))
  } else if (options.as === 'chunks') chunks(session, start, length, options.json === true)
  else
    await words(session, start, memory.bytes.subarray(0, readable - (readable % unit)), options.json === true)
  if (missing < 0) return EXIT.done
  say(memory.fault ?? 'the rest cannot be read')
  return options.strict ? EXIT.partial : EXIT.done
}

async function words(
  session: TargetSession,
  start: Address,
  bytes: Uint8Array,
  json: boolean,
): Promise<void> {
  if (!json) {
    output(await wordsText(session, start, bytes))
    return
  }
  const { values, symbolOf } = await namedWords(session, start, bytes)
  const rows = values.map((value, index) => {
    const at = offset(start, index * session.wordBytes)
    return { address: hex(at), word: hex(value), symbol: symbolOf(value) }
  })
  output(`${JSON.stringify(rows, null, 2)}\n`)
}

/** Words with their symbols and the chunks that begin in each line; `bytes` are whole words. */
export async function wordsText(session: Session, start: Address, bytes: Uint8Array): Promise<string> {
  const { wordBytes } = session
  const { values, symbolOf } = await namedWords(session, start, bytes)
  const marks = session.chunksIn(start, offset(start, bytes.length))
  let next = 0
  const marksOf = (from: bigint, to: bigint) => {
    const found: string[] = []
    while (next < marks.length && marks[next]!.address < from) next++
    while (next < marks.length && marks[next]!.address < to) found.push(markText(marks[next++]!))
    return found.join(', ')
  }
  return renderWords({ start, wordBytes, words: values, symbolOf, marksOf })
}

async function namedWords(
  session: Session,
  start: Address,
  bytes: Uint8Array,
): Promise<{ values: bigint[]; symbolOf: (value: bigint) => string | null }> {
  const { wordBytes } = session
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const values: bigint[] = []
  for (let at = 0; at < bytes.length; at += wordBytes) {
    values.push(wordBytes === 8 ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true)))
  }
  const step = wordsPerLine(wordBytes) * wordBytes
  const heads = Array.from({ length: Math.ceil(bytes.length / step) }, (_, line) =>
    offset(start, line * step),
  )
  const asked = [...new Set([...heads, ...values])]
  const names = await session.symbolsOf(asked)
  const known = new Map(asked.map((value, index) => [value, names[index] ?? null]))
  return { values, symbolOf: (value) => known.get(value) ?? null }
}

function markText({ state, address: at, sizeBytes, arenaIndex }: ChunkMark): string {
  const what =
    state === 'arena' ? 'heap header' : state === 'fencepost' || state === 'top' ? state : `${state} chunk`
  return `${what} ${hex(at)}, ${sizeBytes} bytes, arena ${arenaIndex}`
}

function chunks(session: TargetSession, start: Address, length: number, json: boolean): void {
  const found = session.chunksIn(start, offset(start, length))
  if (json) {
    output(
      `${JSON.stringify(
        found.map((chunk) => ({ ...chunk, address: hex(chunk.address) })),
        null,
        2,
      )}\n`,
    )
    return
  }
  if (found.length === 0) {
    const [what] = session.describe(start).lines
    throw new CommandError(
      `no malloc chunk is known at ${hex(start)} (${what})`,
      'use --as words or --as hex there',
    )
  }
  const columns = [
    { title: 'chunk', align: 'left' },
    { title: 'bytes', align: 'right' },
    { title: 'state', align: 'left' },
    { title: 'arena', align: 'right' },
  ] as const
  const rows = found.map((chunk) => [
    hex(chunk.address),
    String(chunk.sizeBytes),
    chunk.state,
    String(chunk.arenaIndex),
  ])
  output(`${plainTable(columns, rows)}\n`)
}
