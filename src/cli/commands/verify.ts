// `arena-inspect verify`: our numbers beside glibc's of the same moment; exit 0 only when all are equal.
import { type Verification, verify } from '../../control/verify.js'
import { countText } from '../../format/sizes.js'
import { freeBytesOf, freeChunksOf } from '../../malloc/malloc-info.js'
import { plainTable } from '../../views/text/plain-table.js'
import { agree, type ControlOptions, visitJson, visitLine, withControl } from '../control-arguments.js'
import type { VerifyDocument } from '../documents/control.js'
import { EXIT, type ExitCode } from '../exit.js'
import { output, outputJson } from '../finish.js'
import { say } from '../terminal.js'

export async function runVerify(options: ControlOptions): Promise<ExitCode> {
  return withControl(options, async (controlled) => {
    await agree(
      `stop process ${options.pid} while its heap is read, and run malloc_info and malloc_stats inside it`,
      options,
    )
    const { symbols } = controlled.session
    const verified = await controlled.visiting((visit) => verify(controlled, symbols, visit))
    if (options.json) outputJson(documentOf(options.pid, verified))
    else output(`${text(verified)}\n`)
    if (verified.glibcs.statsProblem) {
      say(`malloc_stats was not compared: ${verified.glibcs.statsProblem}; malloc_info was`)
    }
    say(visitLine(verified.glibcs.visit))
    return verified.differences.length === 0 ? EXIT.done : EXIT.failed
  })
}

/** One row a figure: ours, glibc's. */
function rowsOf({ ours, glibcs }: Verification): string[][] {
  const { arenas, mmapped, totals } = ours.model
  const { info } = glibcs
  const row = (what: string, mine: number | null | undefined, theirs: number) => [
    what,
    countText(mine ?? null),
    countText(theirs),
    mine === theirs ? 'equal' : 'DIFFERENT',
  ]
  const figures = info.heaps.flatMap((heap, index) => {
    const arena = arenas[index]
    const free = freeBytesOf(heap, arena?.topBytes ?? 0)
    const name = `arena ${index}`
    return [
      row(`${name}: system bytes`, arena?.systemBytes, heap.systemBytes),
      row(`${name}: in use bytes`, arena?.inUseBytes, heap.systemBytes - free),
      row(`${name}: free bytes`, arena?.freeBytes, free),
      row(`${name}: free chunks`, arena?.freeChunks, freeChunksOf(heap)),
    ]
  })
  const whole = [row('all arenas: system bytes', totals.systemBytes, info.systemBytes)]
  if (info.mmapped) {
    whole.push(row('mmapped chunks', mmapped.count, info.mmapped.count))
    whole.push(row('mmapped bytes', mmapped.bytes, info.mmapped.bytes))
  }
  return [row('arenas', arenas.length, info.heaps.length), ...figures, ...whole]
}

function text(verified: Verification): string {
  const columns = [
    { title: '', align: 'left' },
    { title: 'arena-inspect', align: 'right' },
    { title: 'glibc', align: 'right' },
    { title: '', align: 'left' },
  ] as const
  const { differences, glibcs } = verified
  const asked = glibcs.stats ? 'malloc_info and malloc_stats' : 'malloc_info'
  const verdict =
    differences.length === 0
      ? `Every number equals glibc's own (${asked}).`
      : `${differences.length} numbers are not glibc's (${asked}):`
  const told = differences.map(({ what, ours, glibcs: theirs }) => {
    const by = ours === null ? '' : ` (${ours - theirs > 0 ? '+' : ''}${countText(ours - theirs)})`
    return `  ${what}: ${countText(ours)}, glibc ${countText(theirs)}${by}`
  })
  return [plainTable(columns, rowsOf(verified)), '', verdict, ...told].join('\n')
}

function documentOf(pid: string, { ours, glibcs, differences }: Verification): VerifyDocument {
  const { arenas, mmapped, totals, glibc } = ours.model
  const mine = arenas.map(({ index, systemBytes, maxSystemBytes, inUseBytes, freeBytes, freeChunks }) => ({
    index,
    systemBytes,
    maxSystemBytes,
    inUseBytes,
    freeBytes,
    freeChunks,
  }))
  return {
    schema: 'arena-inspect-verify/1',
    pid: Number(pid),
    equal: differences.length === 0,
    differences,
    ours: {
      version: glibc.version,
      arenas: mine,
      mmapped: { count: mmapped.count, bytes: mmapped.bytes, maxBytes: mmapped.maxBytes },
      totals: { systemBytes: totals.systemBytes, inUseBytes: totals.inUseBytes },
    },
    glibcs: { mallocInfo: glibcs.info, mallocStats: glibcs.stats, mallocStatsProblem: glibcs.statsProblem },
    visit: visitJson(glibcs.visit),
  }
}
