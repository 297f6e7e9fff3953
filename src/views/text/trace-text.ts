// A trace as text: what mapped the memory, grouped by stack, largest first.
import { dateText, zoneText } from '../../format/clock.js'
import { durationText } from '../../format/durations.js'
import { printable } from '../../format/printable.js'
import { bytesText, countOf, countText } from '../../format/sizes.js'
import { lossText, stackText } from '../../trace/stack-text.js'
import type { Trace, TraceEnding, TraceGroup, TraceSum } from '../../trace/trace.js'

const ENDINGS: Readonly<Record<TraceEnding, string>> = {
  'still-running': 'still running when this was saved',
  'target-ended': 'until the process ended',
  'time-is-up': 'until the time was up',
  SIGINT: 'until Ctrl-C',
  SIGTERM: 'until SIGTERM',
  SIGHUP: 'until the terminal was closed',
  'recorder-failed': 'until the recorder failed',
}
const MOST_THREADS = 5
const MOST_GAPS = 10

/** Lines with a line end each. */
export function renderTraceText(trace: Trace): string {
  const maps = trace.groups.filter(({ kind }) => kind === 'map')
  const births = trace.groups.filter(({ kind }) => kind === 'birth')
  const lines = [...headLines(trace), ...noteLines(trace)]
  if (maps.length > 0) lines.push('', 'By stack, most bytes first:')
  maps.forEach((group, index) => {
    lines.push('', ...groupLines(trace, group, index + 1))
  })
  if (births.length > 0) lines.push('', 'Births of malloc arenas and heaps, by stack:')
  births.forEach((group, index) => {
    lines.push('', ...groupLines(trace, group, maps.length + index + 1))
  })
  return `${lines.join('\n')}\n`
}

function headLines(trace: Trace): string[] {
  const { target, startedAtMs, endedAtMs, mapped, births } = trace
  const program = target.executable === null ? '' : ` (${printable(target.executable)})`
  const time = `${dateText(startedAtMs)} to ${dateText(endedAtMs)} (${zoneText(startedAtMs)})`
  const why = trace.endingWhy === null ? '' : `: ${printable(trace.endingWhy)}`
  return [
    `Who mapped memory in process ${target.pid}${program}, recorded by ${printable(trace.recorder)} (${printable(trace.recorderWhy)})`,
    `${time}, ${durationText(Math.max(0, endedAtMs - startedAtMs))}, ${ENDINGS[trace.ending] ?? printable(trace.ending)}${why}`,
    '',
    `mmap, mremap and brk of ${bytesText(trace.minimumBytes)} and more: ${sumText(mapped)}`,
    `malloc: ${countOf(births.arenas, 'arena')} born, ${countOf(births.heaps, 'heap')} in all, for which ${bytesText(births.reservedBytes)} of address space were reserved`,
  ]
}

function noteLines(trace: Trace): string[] {
  const { checkedAgainstMaps: checked, gaps } = trace
  const loss = lossText(trace)
  const lines = [loss === null ? 'lost events: none' : `LOST: ${loss}`]
  for (const gap of gaps.slice(0, MOST_GAPS)) {
    const length = durationText(gap.untilMs - gap.atMs)
    lines.push(`not watched from ${dateText(gap.atMs)} for ${length}: ${printable(gap.why)}`)
  }
  const more = Math.max(0, gaps.length - MOST_GAPS) + trace.gapsNotKept
  if (more > 0) lines.push(`not watched ${countText(more)} more times`)
  if (trace.callsWithoutGroup > 0) {
    lines.push(
      `${countText(trace.callsWithoutGroup)} calls had stacks beyond those kept; they are summed up in one group`,
    )
  }
  if (checked === null) {
    lines.push('what is still mapped could not be compared with the maps of the process')
  } else if (checked.goneUnseenBytes > 0) {
    lines.push(
      `${bytesText(checked.goneUnseenBytes)} were found unmapped although no call was seen that did it`,
    )
  }
  return lines
}

function sumText(sum: TraceSum): string {
  const { calls, bytes, stillMappedBytes, stillMappedCalls, untrackedCalls, untrackedBytes } = sum
  const still =
    stillMappedBytes === 0
      ? 'none of it still mapped'
      : `${bytesText(stillMappedBytes)} of ${countOf(stillMappedCalls, 'call')} still mapped`
  const unknown =
    untrackedCalls === 0
      ? ''
      : `; of ${bytesText(untrackedBytes)} in ${countOf(untrackedCalls, 'call')} it is not known whether they still are`
  return `${bytesText(bytes)} in ${countOf(calls, 'call')}, ${still}${unknown}`
}

function groupLines(trace: Trace, group: TraceGroup, number: number): string[] {
  const kinds = (['mmap', 'mremap', 'brk'] as const).filter((name) => group[`${name}Calls`] > 0)
  const what = group.kind === 'map' ? kinds.join(', ') : birthText(group)
  const named = group.threads.slice(0, MOST_THREADS).map(({ name, calls }) => {
    return `${name === null ? '(others)' : printable(name)} ${countText(calls)}`
  })
  const rest = group.threads.length - named.length
  const threads = `${named.join(', ')}${rest > 0 ? `, and ${countText(rest)} more names` : ''}`
  const stack = stackText(trace, group)
  const width = Math.min(40, Math.max(...stack.map(({ name }) => name.length)))
  return [
    `#${number}  ${sumText(group)}  (${what})`,
    `    first ${dateText(group.firstAtMs)}, last ${dateText(group.lastAtMs)}; calls by thread: ${threads}`,
    ...stack.map(({ name, source, module, isInlined }) => {
      const where = isInlined ? `${source ?? ''} (inlined)`.trim() : (source ?? module ?? '')
      return `      ${name.padEnd(width)}  ${where}`.trimEnd()
    }),
  ]
}

function birthText({ arenas, heaps }: TraceGroup): string {
  if (arenas === 0) return countOf(heaps, 'further heap')
  const further = heaps > arenas ? `, ${countOf(heaps - arenas, 'further heap')}` : ''
  return `${countOf(arenas, 'arena')} born${further}`
}
