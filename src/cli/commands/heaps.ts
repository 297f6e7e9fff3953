// `arena-inspect heaps`: the heap_info segments of every arena, and the pieces of the main heap.
import { countText } from '../../format/sizes.js'
import { hex } from '../../memory/address.js'
import { plainTable } from '../../views/text/plain-table.js'
import type { HeapsDocument } from '../documents/reading.js'
import { CommandError, type ExitCode } from '../exit.js'
import { output, outputJson } from '../finish.js'
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
    if (options.json) {
      const { complete } = session.report
      const document: HeapsDocument = { schema: 'arena-inspect-heaps/1', complete, heaps: rows }
      outputJson(document)
    } else {
      output(`${heapsTable(rows)}\n`)
    }
  })
}

/** A heap_info, or a piece of the main heap. */
export interface HeapRow {
  readonly arena: number
  readonly address: string
  readonly sizeBytes: number
  readonly committedBytes: number
  readonly reservedBytes: number
}

export function heapsTable(rows: readonly HeapRow[]): string {
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
  return plainTable(columns, cells)
}
