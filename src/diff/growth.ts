// From one number to another, where both are known.
import type { Growth } from './diff.js'

export function growth(from: number | null, to: number | null): Growth {
  const grew = from === null || to === null ? null : to - from
  return { from, to, grew, grewPercent: grew === null || !from ? null : (grew / from) * 100 }
}

/** Both are shown, and what became of the one in the other cannot be told. */
export function incomparable(from: number | null, to: number | null): Growth {
  return { from, to, grew: null, grewPercent: null }
}
