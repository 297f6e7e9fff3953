// `arena-inspect threads`: which arena and tcache each thread uses, and what it was doing.

import { printable } from '../../format/printable.js'
import { bytesText, countText } from '../../format/sizes.js'
import { hex } from '../../memory/address.js'
import type { ReportThread } from '../../report/report.js'
import type { Frame } from '../../target/target.js'
import { plainTable } from '../../views/text/plain-table.js'
import { wholeNumber } from '../byte-count.js'
import type { ThreadsDocument } from '../documents/reading.js'
import type { ExitCode } from '../exit.js'
import { output, outputJson } from '../finish.js'
import type { TargetOptions } from '../target-arguments.js'
import { withMalloc } from '../with-malloc.js'

export interface ThreadsOptions extends TargetOptions {
  readonly json?: boolean
  readonly frames: string
}

export async function runThreads(targets: readonly string[], options: ThreadsOptions): Promise<ExitCode> {
  const depth = wholeNumber(options.frames, '--frames')
  return withMalloc(targets, options, async (session) => {
    const { report } = session
    const stacks = depth > 0 ? await session.frames(depth) : new Map<number, readonly Frame[]>()
    const { threads } = report.heap!
    if (options.json) {
      const rows = threads.map((thread) => ({
        ...thread,
        frames: (stacks.get(thread.tid) ?? []).map(({ pc, ...frame }) => ({ ...frame, pc: hex(pc) })),
      }))
      const { complete } = report
      const document: ThreadsDocument = { schema: 'arena-inspect-threads/1', complete, threads: rows }
      outputJson(document)
    } else output(`${threadsTable(threads, stacks)}\n`)
  })
}

/** What malloc has for each thread, and the functions that it is in. */
export function threadsTable(
  threads: readonly ReportThread[],
  stacks: ReadonlyMap<number, readonly Frame[]>,
): string {
  const columns = [
    { title: 'thread', align: 'right' },
    { title: 'name', align: 'left' },
    { title: 'arena', align: 'right' },
    { title: 'tcache', align: 'left' },
    { title: 'chunks', align: 'right' },
    { title: 'bytes', align: 'right' },
    { title: 'in', align: 'left' },
  ] as const
  return plainTable(
    columns,
    threads.map(({ tid, name, arena, tcache }) => [
      String(tid),
      printable(name ?? ''),
      arena === null ? '-' : arena === 0 ? 'main' : String(arena),
      tcache?.address ?? '-',
      tcache ? countText(tcache.chunks) : '',
      tcache ? bytesText(tcache.bytes) : '',
      (stacks.get(tid) ?? []).map(frameText).join(' < '),
    ]),
  )
}

function frameText({ functionName, pc }: Frame): string {
  return printable(functionName ?? hex(pc))
}
