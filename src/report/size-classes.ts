// Histograms of chunk sizes as rows of a report.
import { CLASS_COUNT, classRange, type SizeHistogram } from '../malloc/chunks/size-classes.js'
import type { ReportSizeClass } from './report.js'

/** Classes that hold chunks, smallest first; `powers of two` joins all sizes between two powers. */
export function sizeClasses(
  { live, free }: { readonly live: SizeHistogram; readonly free: SizeHistogram },
  detail: 'fine' | 'powers of two',
): readonly ReportSizeClass[] {
  const rows: Row[] = []
  let last: Row | null = null
  for (let index = 0; index < CLASS_COUNT; index++) {
    const liveChunks = live.chunks[index]!
    const freeChunks = free.chunks[index]!
    if (liveChunks === 0 && freeChunks === 0) continue
    const { min, max } = classRange(index)
    const minBytes = detail === 'fine' ? min : 2 ** Math.floor(Math.log2(Math.max(1, min)))
    const maxBytes = detail === 'fine' ? max : Math.max(max, minBytes * 2)
    if (last === null || last.minBytes !== minBytes) {
      last = { minBytes, maxBytes, liveChunks: 0, liveBytes: 0, freeChunks: 0, freeBytes: 0 }
      rows.push(last)
    }
    last.maxBytes = maxBytes
    last.liveChunks += liveChunks
    last.liveBytes += live.bytes[index]!
    last.freeChunks += freeChunks
    last.freeBytes += free.bytes[index]!
  }
  return rows
}

type Row = { -readonly [K in keyof ReportSizeClass]: ReportSizeClass[K] }
