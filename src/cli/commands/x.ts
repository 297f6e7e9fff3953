// `arena-inspect x`: memory of a target as gdb's x prints it, with symbols and chunk marks.
import { type Address, hex, offset } from '../../memory/address.js'
import type { InspectedSession } from '../../session/inspected-session.js'
import type { ChunkMark, Session } from '../../session/session.js'
import { SnapshotSession } from '../../snapshot/snapshot-session.js'
import { renderHex } from '../../views/text/hex-dump.js'
import { plainTable } from '../../views/text/plain-table.js'
import { renderWords, wordsPerLine } from '../../views/text/words-dump.js'
import { addressOf, chooseWithAddress } from '../address-arguments.js'
import type { ChunksDump, HexDump, WordsDump } from '../documents/reading.js'
import { CommandError, EXIT, type ExitCode, UsageError } from '../exit.js'
import { output, outputJson } from '../finish.js'
import { openSaved, type TargetOptions } from '../target-arguments.js'
import { say } from '../terminal.js'

export interface XOptions extends TargetOptions {
  readonly count: string
  readonly as: 'words' | 'hex' | 'chunks'
  readonly json?: boolean
}

const MOST = 1_000_000

/** What the documents of all units begin with. */
type Head = Omit<HexDump, 'as' | 'bytes'>

export async function runX(positional: readonly string[], options: XOptions): Promise<ExitCode> {
  const count = Number(options.count)
  if (!/^\d+$/.test(options.count) || count < 1 || count > MOST) {
    throw new UsageError(
      `--count takes 1 … ${MOST}, not ${JSON.stringify(options.count)}`,
      'see arena-inspect x --help',
    )
  }
  const example = 'arena-inspect x core.6 0x7f8f98000020 --count 40'
  const { choice, where } = chooseWithAddress(positional, options, example)
  const session = await openSaved(choice, options)
  try {
    return await dump(session, await addressOf(session, where), count, options)
  } finally {
    await session.close()
  }
}

async function dump(
  session: InspectedSession,
  start: Address,
  count: number,
  options: XOptions,
): Promise<ExitCode> {
  const unit = options.as === 'hex' ? 1 : session.wordBytes
  const length = count * unit
  const isSaved = session instanceof SnapshotSession
  if (isSaved && options.as === 'chunks') {
    chunks(
      session,
      start,
      length,
      options.json ? { schema: 'arena-inspect-x/1', address: hex(start), fault: null } : null,
    )
    return EXIT.done
  }
  const memory = session.read(start, length)
  const missing = memory.known.indexOf(0)
  const readable = missing < 0 ? length : missing
  if (readable < unit)
    throw new CommandError(
      memory.fault ?? 'nothing can be read there',
      isSaved
        ? 'run this command on the target; on a snapshot --as chunks works without'
        : 'arena-inspect maps lists what is mapped',
    )
  const head: Head = {
    schema: 'arena-inspect-x/1',
    address: hex(start),
    fault: missing < 0 ? null : memory.fault,
  }
  if (options.as === 'hex') {
    if (options.json) {
      const bytes = Buffer.from(memory.bytes.subarray(0, readable)).toString('hex')
      const document: HexDump = { ...head, as: 'hex', bytes }
      outputJson(document)
    } else output(renderHex(memory))
  } else if (options.as === 'chunks') chunks(session, start, length, options.json ? head : null)
  else {
    const bytes = memory.bytes.subarray(0, readable - (readable % unit))
    await words(session, start, bytes, options.json ? head : null)
  }
  if (missing < 0) return EXIT.done
  say(memory.fault ?? 'the rest cannot be read')
  return options.strict ? EXIT.partial : EXIT.done
}

async function words(
  session: InspectedSession,
  start: Address,
  bytes: Uint8Array,
  head: Head | null,
): Promise<void> {
  if (!head) {
    output(await wordsText(session, start, bytes))
    return
  }
  const { values, symbolOf } = await namedWords(session, start, bytes)
  const rows = values.map((value, index) => {
    const at = offset(start, index * session.wordBytes)
    return { address: hex(at), word: hex(value), symbol: symbolOf(value) }
  })
  const document: WordsDump = { ...head, as: 'words', words: rows }
  outputJson(document)
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

function chunks(session: InspectedSession, start: Address, length: number, head: Head | null): void {
  const found = session.chunksIn(start, offset(start, length))
  if (head) {
    const rows = found.map((chunk) => ({ ...chunk, address: hex(chunk.address) }))
    const document: ChunksDump = { ...head, as: 'chunks', chunks: rows }
    outputJson(document)
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
