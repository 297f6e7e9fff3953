// An arena of a live process that changed while it was read: what can be said of it all the same.
import { hex } from '../../memory/address.js'
import type { ListSum } from '../chunks/bins.js'
import type { Tally } from '../chunks/tally.js'
import type { Anomaly, MovingArena } from '../heap-model.js'

/** Of an arena of which no read gave one picture yet. */
export interface Unsettled {
  readonly seen: MovingArena
  /** Reads that met damage although the header did not change and nobody held the lock. */
  readonly broken: number
}

/** True when nothing changed between two readings of a malloc_state. */
export function sameState(a: Uint8Array, b: Uint8Array): boolean {
  // The mutex (first int) comes and goes on a busy arena without any change to its chunks.
  for (let at = 4; at < a.length; at++) if (a[at] !== b[at]) return false
  return true
}

/** malloc_state.mutex: a thread works on the arena. (A single-threaded program takes no lock, glibc 2.27.) */
export function isLocked(header: Uint8Array): boolean {
  return header[0] !== 0 || header[1] !== 0 || header[2] !== 0 || header[3] !== 0
}

/** Of one read: what of it came through. */
interface OneRead {
  readonly systemBytes: number | null
  readonly topBytes: number | null
  readonly fast: ListSum | null
  readonly walked: { readonly tally: Tally } | null
}

/** What this read and those before it saw of a moving arena. */
export function seenIn(
  measured: OneRead,
  systemBytes: readonly number[],
  earlier: MovingArena | null,
): MovingArena {
  const inUse = inUseOf(measured)
  return {
    reads: (earlier?.reads ?? 0) + 1,
    systemBytes: range(systemBytes, earlier?.systemBytes ?? null)!,
    inUseBytes: range(inUse === null ? [] : [inUse], earlier?.inUseBytes ?? null),
  }
}

/** The same as an anomaly, in words. */
export function movingAnomaly(at: bigint, { reads, systemBytes, inUseBytes }: MovingArena): Anomaly {
  const inUse =
    inUseBytes === null
      ? 'what is in use of them is unknown'
      : `of which ${between(inUseBytes)} were in use, as far as a read of what moves can tell`
  const what = `arena ${hex(at)} changed during each of ${reads} reads: it held ${between(systemBytes)} bytes, ${inUse}`
  return { at: at as Anomaly['at'], code: 'arena-moving', what }
}

function between([low, high]: readonly [number, number]): string {
  return low === high ? String(low) : `${low} to ${high}`
}

// Null where the walk did not come through, or its parts are of moments too far apart.
function inUseOf({ systemBytes, fast, walked, topBytes }: OneRead): number | null {
  if (systemBytes === null || !fast || fast.damage || !walked || topBytes === null) return null
  const inUse = systemBytes - fast.bytes - walked.tally.freeBytes - topBytes
  return inUse < 0 ? null : inUse
}

function range(
  values: readonly number[],
  earlier: readonly [number, number] | null,
): readonly [number, number] | null {
  const all = [...values, ...(earlier ?? [])]
  return all.length === 0 ? null : [Math.min(...all), Math.max(...all)]
}
