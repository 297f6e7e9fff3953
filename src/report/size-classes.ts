// Histograms of chunk sizes as rows of a report.
import { CLASS_COUNT, classRange, type SizeHistogram } from '../malloc/chunks/size-classes.js'
import type { ReportSizeClass } from './report.js'

/** Classes that hold chunks, smallest first; `powers of two` joins all sizes between two powers. */
export function sizeClasses(
  { live, free }: { readonly live: SizeHistogram; readonly free: SizeHistogram },
  detail: 'fine' | 'powers of two',
): readonly ReportSizeClass[] {
  const rows: ReportSizeClass[] = []
  for (let index = 0; index < CLASS_COUNT; index++) {
    const [liveChunks, freeChunks] = [live.chunks[index]!, free.chunks[index]!]
    if (liveChunks === 0 && freeChunks === 0) continue
    const { min, max } = classRange(index)
    const range = detail === 'fine' ? { minBytes: min, maxBytes: max } : powers(min, max)
    const row = {
      ...range,
      liveChunks,
      liveBytes: live.bytes[index]!,
      freeChunks,
      freeBytes: free.bytes[index]!,
    }
    const last = rows.at(-1)
    if (last?.minBytes === row.minBytes) rows[rows.length - 1] = joined(last, row)
    else rows.push(row)
  }
  return rows
}

function powers(min: number, max: number): { minBytes: number; maxBytes: number } {
  const minBytes = 2 ** Math.floor(Math.log2(Math.max(1, min)))
  return { minBytes, maxBytes: Math.max(max, minBytes * 2) }
}

function joined(a: ReportSizeClass, b: ReportSizeClass): ReportSizeClass {
  return {
    minBytes: a.minBytes,
    maxBytes: b.maxBytes,
    liveChunks: a.liveChunks + b.liveChunks,
    liveBytes: a.liveBytes + b.liveBytes,
    freeChunks: a.freeChunks + b.freeChunks,
    freeBytes: a.freeBytes + b.freeBytes,
  }
}
