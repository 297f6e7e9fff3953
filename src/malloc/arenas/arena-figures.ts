// The figures of an arena from what was measured: what the lists know is taken out of what looks in use.
import { hex } from '../../memory/address.js'
import { SizeHistogram } from '../chunks/size-classes.js'
import type { Anomaly, Arena } from '../heap-model.js'
import type { CachedSum } from './cached-sums.js'
import type { MeasuredArena } from './measure-arena.js'
import { residencyOf, type TrimContext } from './residency.js'

/** The arena at position `index` of the ring. `cached` null: not all tcaches are known. `trim` null: residency is unknown. */
export function arenaFigures(
  measured: MeasuredArena,
  index: number,
  cached: CachedSum | null,
  trim: TrimContext | null,
  isLive: boolean,
): { arena: Arena; anomalies: readonly Anomaly[] } {
  const { header, fast, walked, topBytes } = measured
  const anomalies = [...measured.anomalies]
  const { systemBytes } = measured
  const fastSum = fast && !fast.damage ? fast : null
  const binnedSum = binnedOf(measured)
  const parts = systemBytes !== null && fastSum && binnedSum && topBytes !== null
  const freeBytes = parts ? fastSum.bytes + binnedSum.bytes + topBytes : null
  const excess = freeBytes !== null && freeBytes > systemBytes!
  if (excess) {
    const what = `arena ${hex(measured.address)}: ${freeBytes} free bytes are more than its ${systemBytes} system bytes`
    anomalies.push({ at: measured.address, code: isLive ? 'arena-moving' : 'free-exceeds-system', what })
  }
  const known = freeBytes !== null && !excess
  const live = known && walked && cached && fastSum ? liveOf(measured, fastSum.sizes, cached) : null
  const excessive = live ? excessOf(live) : null
  if (excessive) {
    const what = `arena ${hex(measured.address)}: its free lists hold ${excessive} more than look in use`
    // A live target's tcaches are read after its chunks: they disagree as soon as it moves.
    const code = isLive ? 'arena-moving' : 'lists-exceed-used'
    anomalies.push({ at: measured.address, code, what })
  }
  const sound = excessive ? null : live
  const residency = sound && trim ? residencyOf(trim, measured, cached) : null
  const arena: Arena = {
    index,
    address: measured.address,
    isMain: measured.isMain,
    heaps: measured.heaps,
    systemBytes,
    maxSystemBytes: systemBytes === null ? null : maxOrNull(header?.maxSystemBytes, systemBytes),
    inUseBytes: known ? systemBytes! - freeBytes : null,
    freeBytes: known ? freeBytes : null,
    fastbinBytes: excess ? null : (fastSum?.bytes ?? null),
    binnedBytes: excess ? null : (binnedSum?.bytes ?? null),
    topBytes: excess ? null : topBytes,
    top: header?.top ?? null,
    freeChunks: !excess && fastSum && binnedSum ? fastSum.chunks + binnedSum.chunks : null,
    attachedThreads: threadsOrNull(header?.attachedThreads ?? null),
    liveBytes: sound?.bytes ?? null,
    usedChunks: sound?.chunks ?? null,
    tcacheBytes: cached?.bytes ?? null,
    tcacheChunks: cached?.chunks ?? null,
    overheadBytes: walked?.overheadBytes ?? null,
    largestFreeBytes: excess ? null : (binnedSum?.largestBytes ?? null),
    sizes: sound && walked ? { live: sound.sizes, free: walked.tally.free } : null,
    skippedBytes: skippedBytesOf(measured),
    resident: residency?.resident ?? null,
    trimReturnsBytes: residency?.trimReturnsBytes ?? null,
    ...(measured.unsettled ? { moving: measured.unsettled.seen } : {}),
    complete: known && anomalies.length === 0,
  }
  return { arena, anomalies }
}

// PID_MAX_LIMIT of Linux: no process has more threads.
const MOST_THREADS = 1 << 22

function threadsOrNull(count: number | null): number | null {
  return count !== null && count <= MOST_THREADS ? count : null
}

// The high-water mark is an overwritten word when it lies beyond any address space.
function maxOrNull(max: number | undefined, systemBytes: number): number | null {
  return max !== undefined && max >= systemBytes && max <= 2 ** 48 ? max : null
}

function skippedBytesOf({ header, walked, partly }: MeasuredArena): number | null {
  if (walked) return 0
  return header ? (partly?.skippedBytes ?? null) : null
}

function binnedOf({ walked, binned }: MeasuredArena): {
  readonly chunks: number
  readonly bytes: number
  readonly largestBytes: number
} | null {
  if (walked) {
    const { freeChunks, freeBytes, largestFreeBytes } = walked.tally
    return { chunks: freeChunks, bytes: freeBytes, largestBytes: largestFreeBytes }
  }
  return binned && !binned.damage ? binned : null
}

// What lists claim beyond what the walk saw, in words; null when they agree.
function excessOf({ bytes, chunks, sizes }: ReturnType<typeof liveOf>): string | null {
  if (bytes < 0) return `${-bytes} bytes`
  if (chunks < 0) return `${-chunks} chunks`
  return sizes.chunks.some((count) => count < 0) ? 'chunks of some sizes' : null
}

function liveOf(
  { walked, fast }: MeasuredArena,
  fastSizes: SizeHistogram,
  cached: CachedSum,
): { bytes: number; chunks: number; sizes: SizeHistogram } {
  const { tally } = walked!
  const sizes = new SizeHistogram()
  sizes.addAll(tally.used)
  sizes.subtract(fastSizes)
  sizes.subtract(cached.sizes)
  return {
    bytes: tally.usedBytes - fast!.bytes - cached.bytes,
    chunks: tally.usedChunks - fast!.chunks - cached.chunks,
    sizes,
  }
}
