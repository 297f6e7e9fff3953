// `arena-inspect heaps`: the heap_info segments of every arena, and the pieces of the main heap.
import { countText } from '../../format/sizes.js'
import { hex } from '../../memory/address.js'
import { plainTable } from '../../views/text/plain-table.js'
import type { ExitCode } from '../exit.js'
import { output } from '../finish.js'
import type { TargetOptions } from '../target-arguments.js'
import { withMalloc } from '../with-malloc.js'

export interface HeapsOptions extends TargetOptions {
  readonly json?: boolean
}

export async function runHeaps(targets: readonly string[], options: HeapsOptions): Promise<ExitCode> {
  return withMalloc(targets, options, (_, { model }) => {
    const rows = model.arenas.flatMap((arena) =>
      arena.heaps.map((heap) => ({ arena: arena.index, ...heap, address: hex(heap.address) })),
    )
    if (options.json) output(`${JSON.stringify(rows, null, 2)}\n`)
    else output(`${heapsTable(rows)}\n`)
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
