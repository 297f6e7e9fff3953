// The report for a ticket: Markdown (GitHub's), the verdict in the first lines, nothing of the target but as text.
import type { Evidence, Finding } from '../../findings/finding.js'
import { bytesText, countOf, countText, percentOf, percentText } from '../../format/sizes.js'
import type { Report, ReportHeapModel } from '../../report/report.js'
import { rulesText } from '../../report/rules-text.js'
import { stopText } from '../../report/stop-text.js'
import { code, plain, markdownTable as table } from './markdown.js'

const MOST_ARENAS = 16
const MOST_ANOMALIES = 20

/** The whole report; ends with a newline. */
export function renderMarkdown(report: Report): string {
  const { heap, ledger, maps, problems } = report
  const parts = [
    verdict(report),
    ...(report.findings.length > 0 ? ['## Findings', ...report.findings.map(findingPart)] : []),
    ...rulesText(report.rules).map((text) => `Judged by: ${plain(text)}`),
    ...(ledger
      ? [
          ledger.basis === 'rss' ? '## Where the resident memory is' : '## Where the saved memory is',
          table(
            [
              ['', 'left'],
              ['size', 'right'],
              ['bytes', 'right'],
              ['share', 'right'],
            ],
            [
              ...ledger.entries.map(({ line, residentBytes }) => [plain(line), residentBytes] as const),
              ['unaccounted', ledger.unaccountedBytes] as const,
              [ledger.basis === 'rss' ? 'RSS' : 'saved', ledger.totalBytes] as const,
            ].map(([line, bytes]) => [
              line,
              bytesText(bytes),
              countText(bytes),
              percentText(percentOf(bytes, ledger.totalBytes)),
            ]),
          ),
        ]
      : []),
    ...(heap ? heapParts(heap) : []),
    '## The address space',
    table(
      [
        ['', 'left'],
        ['mappings', 'right'],
        ['size', 'right'],
        ['in RAM', 'right'],
      ],
      maps.categories.map(({ category, mappings, virtualBytes, residentBytes }) => [
        plain(category),
        countText(mappings),
        bytesText(virtualBytes),
        bytesText(residentBytes),
      ]),
    ),
    ...(problems.length > 0 ? ['## Notes', problems.map((problem) => `- ${plain(problem)}`).join('\n')] : []),
  ]
  return `${parts.join('\n\n')}\n`
}

function verdict({ target, heap, findings, complete }: Report): string {
  const [first] = findings
  const said = first
    ? `**${first.severity.toUpperCase()}: ${plain(first.title)}**`
    : `**${heap ? 'No finding: nothing that the rules know is wrong with this heap.' : 'No verdict on malloc: its arenas were not found.'}**`
  const name = target.executable?.split('/').at(-1) ?? target.label
  const about = [
    code(name),
    code(target.label),
    ...(target.kind === 'core' && target.pid !== null ? [`pid ${target.pid}`] : []),
    countOf(target.threads, 'thread'),
    ...stopText(target.stop),
    target.glibc ? `glibc ${plain(target.glibc.version ?? 'of unknown version')}` : 'no glibc malloc found',
    ...(complete ? [] : ['**incomplete**: see the notes']),
  ]
  return [said, ...(first ? [`Do: ${doText(first)}`] : []), about.join(' · ')].join('\\\n')
}

function doText({ fixes = [], nextStep }: Finding): string {
  const [fix] = fixes
  if (!fix) return plain(nextStep)
  return `${code(fix.text)}${fix.restart && fix.how !== 'mallopt' ? ' and restart' : ''}`
}

function findingPart(finding: Finding): string {
  const { severity, title, rule, evidence, fixes = [], nextStep, why, estimate } = finding
  return [
    `### ${severity.toUpperCase()}: ${plain(title)}`,
    '',
    ...(fixes.length > 0
      ? fixes.map(({ how, text, restart, note }) => {
          const again = restart && how !== 'mallopt' ? ' and restart' : ''
          return `- ${code(text)}${again}${note === null ? '' : `: ${plain(note)}`}`
        })
      : [`- ${plain(nextStep)}`]),
    ...(why === undefined ? [] : [`- why: ${plain(why)}`]),
    ...evidence.map((one) => `- ${plain(one.label)}: ${plain(evidenceText(one))}`),
    ...(estimate
      ? [
          `- ${plain(estimate.what)}: ${bytesText(estimate.nowBytes)} now, ${bytesText(estimate.lowBytes)} to ${bytesText(estimate.highBytes)} then, at most ${bytesText(estimate.mostBytes)} (${plain(estimate.assumption)})`,
        ]
      : []),
    `- rule ${code(rule)}`,
  ].join('\n')
}

function evidenceText({ value, unit }: Evidence): string {
  if (typeof value !== 'number') return value ?? 'unknown'
  if (unit === 'bytes') return exact(value)
  return unit === 'percent' ? percentText(value) : countText(value)
}

function heapParts({ arenas, totals, mmapped, anomalies }: ReportHeapModel): string[] {
  const figures: readonly (readonly [string, number | null])[] = [
    ['system', totals.systemBytes],
    ['in use', totals.inUseBytes],
    ['in use: live', totals.liveBytes],
    ['in use: tcache', totals.tcacheBytes],
    ['in use: overhead', totals.overheadBytes],
    ['free', totals.freeBytes],
    ['free: bins', totals.binnedBytes],
    ['free: fastbins', totals.fastbinBytes],
    ['free: top', totals.topBytes],
    ['malloc_trim(0) would give back', totals.trimReturnsBytes],
    [`mmapped, ${countText(mmapped.count)} chunks`, mmapped.bytes],
  ]
  const shown = [...arenas].sort((a, b) => (b.systemBytes ?? 0) - (a.systemBytes ?? 0)).slice(0, MOST_ARENAS)
  const rest = arenas.length - shown.length
  const damage = anomalies.slice(0, MOST_ANOMALIES)
  return [
    `## malloc: ${countOf(arenas.length, 'arena')}`,
    table(
      [
        ['', 'left'],
        ['size', 'right'],
        ['bytes', 'right'],
      ],
      figures.map(([name, bytes]) => [name, bytesText(bytes), countText(bytes)]),
    ),
    table(
      [
        ['arena', 'left'],
        ...['heaps', 'system', 'in use', 'free', 'free chunks', 'threads', 'use'].map(
          (title) => [title, 'right'] as const,
        ),
      ],
      shown.map((arena) => [
        `${arena.isMain ? 'main' : arena.index} \`${arena.address}\`${arena.complete ? '' : ' incomplete'}`,
        countText(arena.heaps.length),
        bytesText(arena.systemBytes),
        bytesText(arena.inUseBytes),
        bytesText(arena.freeBytes),
        countText(arena.freeChunks),
        countText(arena.attachedThreads),
        percentText(percentOf(arena.inUseBytes, arena.systemBytes)),
      ]),
    ),
    ...(rest > 0 ? [`… and ${countText(rest)} smaller arenas.`] : []),
    ...(damage.length > 0
      ? [
          '### Damage',
          damage.map(({ at, code: name, what }) => `- \`${at}\` ${code(name)}: ${plain(what)}`).join('\n'),
          ...(anomalies.length > damage.length
            ? [`… and ${countText(anomalies.length - damage.length)} more.`]
            : []),
        ]
      : []),
  ]
}

function exact(bytes: number | null): string {
  return bytes === null ? 'unknown' : `${bytesText(bytes)} (${countText(bytes)} bytes)`
}
