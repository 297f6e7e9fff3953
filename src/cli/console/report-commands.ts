// Console commands about what the report holds, and one that reads a live process again.
import picocolors from 'picocolors'
import { countText } from '../../format/sizes.js'
import { GROUPINGS, type Grouping, groupRegions } from '../../maps/group-regions.js'
import { renderJson } from '../../views/json/render-json.js'
import { arenaFacts, arenasTable } from '../../views/text/arenas-table.js'
import { ledgerTable } from '../../views/text/ledger-table.js'
import { groupedTable } from '../../views/text/maps-table.js'
import { renderMarkdown } from '../../views/text/render-markdown.js'
import { findingText, renderText } from '../../views/text/render-text.js'
import { wholeNumber } from '../byte-count.js'
import { binsText } from '../commands/bins.js'
import { heapsTable } from '../commands/heaps.js'
import { threadsTable } from '../commands/threads.js'
import { type ConsoleCommand, heapOf, targetSession, usageError } from './console-command.js'

const PLAIN = picocolors.createColors(false)

const arena: ConsoleCommand = {
  name: 'arena',
  usage: 'N',
  about: 'one arena with its heaps',
  options: {},
  run(debuggee, { positional }) {
    const [text, extra] = positional
    if (text === undefined || extra !== undefined) throw usageError(this, 'takes the number of an arena')
    const { arenas } = heapOf(debuggee)
    const found = arenas[text === 'main' ? 0 : wholeNumber(text, 'arena')]
    if (!found) throw usageError(this, `there are ${arenas.length} arenas, 0 to ${arenas.length - 1}`)
    const heaps = found.heaps.map(
      ({ address, sizeBytes }) => `  heap ${address}  ${countText(sizeBytes)} bytes`,
    )
    const anomalies = (debuggee.session.report.heap?.anomalies ?? [])
      .filter(({ what }) => new RegExp(`\\barena ${found.address}\\b`).test(what))
      .map(({ at, what }) => `  at ${at}: ${what}`)
    return [arenaFacts(found), ...heaps, ...anomalies].join('\n')
  },
}

const arenas: ConsoleCommand = {
  name: 'arenas',
  usage: '',
  about: 'every arena',
  options: {},
  run(debuggee) {
    const all = heapOf(debuggee).arenas
    return arenasTable(all, all.length)
  },
}

const heaps: ConsoleCommand = {
  name: 'heaps',
  usage: '',
  about: 'the heap segments of every arena',
  options: {},
  run(debuggee) {
    const model = targetSession(debuggee).measurement.malloc?.model
    heapOf(debuggee)
    return heapsTable(
      (model?.arenas ?? []).flatMap(({ index, heaps: own }) =>
        own.map((heap) => ({ arena: index, ...heap, address: `0x${heap.address.toString(16)}` })),
      ),
    )
  },
}

const bins: ConsoleCommand = {
  name: 'bins',
  usage: '[--arena N]',
  about: 'the free lists, followed and checked',
  options: { arena: { about: 'of one arena only', takes: 'N' } },
  run(debuggee, words) {
    heapOf(debuggee)
    const { target, measurement } = targetSession(debuggee)
    const only = words.value('arena')
    return binsText(
      target.memory,
      measurement.malloc!,
      only === undefined ? null : wholeNumber(only, '--arena'),
    )
  },
}

const threads: ConsoleCommand = {
  name: 'threads',
  usage: '[--frames N]',
  about: 'which arena and tcache each thread uses, and what it was doing',
  options: { frames: { about: 'how many stack frames', takes: 'N' } },
  async run(debuggee, words) {
    const depth = wholeNumber(words.value('frames') ?? '3', '--frames')
    const { symbols } = targetSession(debuggee)
    const stacks = depth > 0 ? await symbols?.backtraces(depth) : undefined
    return threadsTable(heapOf(debuggee).threads, stacks ?? new Map())
  },
}

const maps: ConsoleCommand = {
  name: 'maps',
  usage: `[--by ${GROUPINGS.join('|')}]`,
  about: 'where the address space goes',
  options: { by: { about: 'what to add up by', takes: GROUPINGS.join('|') } },
  run({ session }, words) {
    const by = (words.value('by') ?? 'category') as Grouping
    if (!GROUPINGS.includes(by)) throw usageError(this, `--by takes ${GROUPINGS.join(', ')}`)
    return groupedTable(`By ${by}`, groupRegions(session.pieces, by))
  },
}

const ledger: ConsoleCommand = {
  name: 'ledger',
  usage: '',
  about: 'every byte that is in RAM, or was saved, in one line',
  options: {},
  run: ({ session }) =>
    session.report.ledger ? ledgerTable(session.report.ledger) : 'what is in RAM is not known here',
}

const findings: ConsoleCommand = {
  name: 'findings',
  usage: '',
  about: 'what the rules say, with evidence',
  options: {},
  run: ({ session }) =>
    session.report.findings.map((finding) => findingText(finding, PLAIN)).join('\n\n') || 'nothing was found',
}

const FORMATS = {
  text: (report) => renderText(report, { color: false }),
  markdown: renderMarkdown,
  json: renderJson,
} satisfies Record<string, (report: Parameters<typeof renderJson>[0]) => string>

const report: ConsoleCommand = {
  name: 'report',
  usage: '[--format text|markdown|json]',
  about: 'the whole report',
  options: { format: { about: 'how it is written', takes: Object.keys(FORMATS).join('|') } },
  run({ session }, words) {
    const format = words.value('format') ?? 'text'
    if (!Object.hasOwn(FORMATS, format))
      throw usageError(this, `--format takes ${Object.keys(FORMATS).join(', ')}`)
    return FORMATS[format as keyof typeof FORMATS](session.report)
  },
}

const refresh: ConsoleCommand = {
  name: 'refresh',
  usage: '',
  about: 'reads a live process again',
  options: {},
  async run({ session }) {
    if (!session.isLive) return 'a core and a snapshot do not change'
    const { heap } = await session.refresh()
    return heap ? arenasTable(heap.arenas, heap.arenas.length) : 'read again'
  },
}

export const REPORT_COMMANDS: readonly ConsoleCommand[] = [
  report,
  findings,
  ledger,
  maps,
  arenas,
  arena,
  heaps,
  bins,
  threads,
  refresh,
]
