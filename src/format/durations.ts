// Lengths of time as people read them.
const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
] as const

/** `2 d 4 h`, `13 min`, `1 min 30 s`, `2.5 s`, `850 ms`: the two largest units, cut off rather than rounded. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.floor(ms)} ms`
  if (ms < 10_000) return `${Math.floor(ms / 100) / 10} s`
  const first = UNITS.findIndex(([, size]) => ms >= size)
  const [unit, size] = UNITS[first]!
  const whole = Math.floor(ms / size)
  const next = UNITS[first + 1]
  const rest = next ? Math.floor((ms - whole * size) / next[1]) : 0
  // Beside ten or more of a unit the smaller one says nothing.
  return rest > 0 && whole < 10 ? `${whole} ${unit} ${rest} ${next![0]}` : `${whole} ${unit}`
}
