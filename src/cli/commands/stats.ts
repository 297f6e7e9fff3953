// `arena-inspect stats`: glibc's own malloc_stats and malloc_info, and the totals that 32 bits cannot hold.
import { type GlibcFigures, glibcFigures, trueTotals } from '../../control/glibc-figures.js'
import { printable } from '../../format/printable.js'
import { countText } from '../../format/sizes.js'
import { agree, type ControlOptions, visitJson, visitLine, withControl } from '../control-arguments.js'
import type { StatsDocument } from '../documents/control.js'
import { EXIT, type ExitCode } from '../exit.js'
import { output, outputJson } from '../finish.js'
import { say } from '../terminal.js'

export interface StatsOptions extends ControlOptions {
  readonly xml?: boolean
}

export async function runStats(options: StatsOptions): Promise<ExitCode> {
  return withControl(options, async (controlled) => {
    await agree(`run malloc_info and malloc_stats inside process ${options.pid}`, options)
    const figures = await controlled.visiting((visit) => glibcFigures(controlled, visit))
    if (options.json) outputJson(documentOf(options.pid, figures))
    else if (options.xml) output(lines(figures.infoText))
    else output(`${text(figures)}\n`)
    if (figures.statsProblem)
      say(`no malloc_stats: ${figures.statsProblem}; malloc_info has the same figures`)
    say(visitLine(figures.visit))
    return EXIT.done
  })
}

// What the process printed, made safe for a terminal line by line.
function lines(text: string): string {
  return text.split('\n').map(printable).join('\n')
}

function text({ info, statsText, stats }: GlibcFigures): string {
  const totals = trueTotals(info)
  const shown = statsText === null ? [] : [lines(statsText.trimEnd()), '']
  if (!totals)
    return [...shown, 'the true totals are unknown: this malloc_info leaves mmapped chunks out'].join('\n')
  const against = (true_: number | null, printed: number | undefined) =>
    true_ === null || printed === undefined || true_ === printed
      ? ''
      : `   malloc_stats prints ${printed}: its counter has 32 bits and wrapped around ${Math.floor(true_ / 2 ** 32)} ×`
  return [
    ...shown,
    'True totals (incl. mmap), 64 bits, from malloc_info at the same moment:',
    `system bytes     = ${countText(totals.systemBytes)}${against(totals.systemBytes, stats?.totalSystemBytes)}`,
    `in use bytes     = ${countText(totals.inUseBytes)}${against(totals.inUseBytes, stats?.totalInUseBytes)}`,
  ].join('\n')
}

function documentOf(
  pid: string,
  { info, infoText, stats, statsText, statsProblem, visit }: GlibcFigures,
): StatsDocument {
  return {
    schema: 'arena-inspect-stats/1',
    pid: Number(pid),
    trueTotals: trueTotals(info),
    mallocStats: stats && { ...stats, text: statsText },
    mallocStatsProblem: statsProblem,
    mallocInfo: { ...info, xml: infoText },
    visit: visitJson(visit),
  }
}
