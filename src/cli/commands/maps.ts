// `arena-inspect maps`: where the address space goes, of a target or of a saved /proc/PID/maps file.
import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { categorize, type Piece } from '../../maps/categorize.js'
import { type Grouping, type GroupRow, groupRegions } from '../../maps/group-regions.js'
import { guessArenaClaims } from '../../maps/guess-arena-claims.js'
import type { Report } from '../../report/report.js'
import { SnapshotSession } from '../../snapshot/snapshot-session.js'
import { parseMaps } from '../../target/live/proc-maps.js'
import { groupedTable } from '../../views/text/maps-table.js'
import type { MapsDocument } from '../documents/reading.js'
import { CommandError, EXIT, type ExitCode } from '../exit.js'
import { exitCodeOf, output, outputJson, sayWhatIsMissing } from '../finish.js'
import { chooseWithProgram, openSaved, type TargetOptions } from '../target-arguments.js'

export interface MapsOptions extends TargetOptions {
  readonly json?: boolean
  readonly by: Grouping
}

const MAPS_LINE = /^[0-9a-f]+-[0-9a-f]+ [r-][w-][x-][ps] /

export async function runMaps(targets: readonly string[], options: MapsOptions): Promise<ExitCode> {
  const [file] = targets
  if (
    options.pid === undefined &&
    options.gdbRemote === undefined &&
    targets.length === 1 &&
    isMapsFile(file!)
  ) {
    const regions = parseMaps(readFileSync(file!, 'utf8'))
    const { pieces } = categorize({ regions, threads: [], claims: guessArenaClaims(regions) })
    show(pieces, true, options)
    return EXIT.done
  }
  const session = await openSaved(chooseWithProgram(targets, options), options)
  try {
    const { complete } = session.report
    if (session instanceof SnapshotSession && !session.hasPlaces) showSums(session.report, options)
    else show(session.pieces, complete, options)
    sayWhatIsMissing(session.report)
    return exitCodeOf(session.report, null, options.strict === true)
  } finally {
    await session.close()
  }
}

function show(pieces: readonly Piece[], complete: boolean, options: MapsOptions): void {
  showRows(groupRegions(pieces, options.by), complete, options)
}

// A saved report has no more than the sums.
function showSums({ maps, complete }: Report, options: MapsOptions): void {
  if (options.by !== 'category')
    throw new CommandError(
      `a saved report has the address space by category only, not by ${options.by}`,
      'run this command on the target or on a snapshot of it',
    )
  const rows = maps.categories.map(({ category, ...sums }) => ({ key: category, ...sums }))
  showRows(
    rows.sort((a, b) => b.virtualBytes - a.virtualBytes || (a.key < b.key ? -1 : 1)),
    complete,
    options,
  )
}

function showRows(rows: readonly GroupRow[], complete: boolean, { by, json }: MapsOptions): void {
  if (json) {
    const document: MapsDocument = { schema: 'arena-inspect-maps/1', complete, by, rows }
    outputJson(document)
  } else output(`${groupedTable(`By ${by}`, rows)}\n`)
}

// A core is not read whole to find out that it is no text.
function isMapsFile(path: string): boolean {
  try {
    if (!statSync(path).isFile()) return false
    const fd = openSync(path, 'r')
    try {
      const head = Buffer.alloc(4096)
      return MAPS_LINE.test(head.toString('latin1', 0, readSync(fd, head, 0, head.length, 0)))
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false
    throw error
  }
}
