// `arena-inspect heaps`: the heap_info segments of every arena, and the pieces of the main heap.
import { countText } from '../../format/sizes.js'
import { hex } from '../../memory/address.js'
import { plainTable } from '../../views/text/plain-table.js'
import { CommandError, type ExitCode } from '../exit.js'
import { output } from '../finish.js'
import type { TargetOptions } from '../target-arguments.js'
import { withMalloc } from '../with-malloc.js'

export interface HeapsOptions extends TargetOptions {
  readonly json?: boolean
}

export async function runHeaps(targets: readonly string[], options: HeapsOptions): Promise<ExitCode> {
  return withMalloc(targets, options, (session) => {
    const heaps = session.heaps()
    if (!heaps)
      throw new CommandError(
        'a saved report does not tell the heaps of an arena in full',
        'run this command on the target or on a snapshot of it',
      )
    const rows = heaps.map((heap) => ({ ...heap, address: hex(heap.address) }))
    if (options.json) output(`${JSON.stringify(rows, null, 2)}\n`)
    else {
      const columns = [
        { title: 'arena', align: 'right' },
        { title: 'heap', align: 'left' },
        { title: 'size', align: 'right' },
        { title: 'committed', align: 'right' },
        { title: 'reserved', align: 'right' },
      ] as const
      const cells = rows.map((row) => [
        row.arena === 0 ? 'main' : String(row.arena),
        row.address,
        ...[row.sizeBytes, row.committedBytes, row.reservedBytes].map(countText),
      ])
      output(`${plainTable(columns, cells)}\n`)
    }
  })
}
