// Numbers as people read them: IEC sizes, counts with separators, percentages.

// Intl would do both, and loading its data costs more than opening a core: 15 to 30 ms.
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB']

/** `12.7 GiB`, `412.0 MiB`, `96 B`; one decimal, cut off rather than rounded; `unknown` for null. */
export function bytesText(bytes: number | null): string {
  if (bytes === null) return 'unknown'
  const size = Math.abs(bytes)
  const sign = bytes < 0 ? '-' : ''
  if (size < 1024) return `${sign}${Math.trunc(size)} B`
  let power = 1
  while (power < UNITS.length - 1 && size >= 1024 ** (power + 1)) power++
  // Dividing by a power of two loses nothing: tenths are cut off exactly.
  const tenths = Math.floor((size * 10) / 1024 ** power)
  return `${sign}${Math.floor(tenths / 10)}.${tenths % 10} ${UNITS[power]}`
}

/** `4,310,002`; `unknown` for null. */
export function countText(count: number | null): string {
  return count === null ? 'unknown' : String(count).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** `1 arena`, `4,310,002 chunks`; `unknown chunks` for null. `noun`: of one. */
export function countOf(count: number | null, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** What percentage of `whole` `part` is, 0 … 100; null when either is unknown or there is no whole. */
export function percentOf(part: number | null, whole: number | null): number | null {
  return part === null || whole === null || whole === 0 ? null : (part / whole) * 100
}

/** `1.1 %` of a value 0 … 100; `<0.1 %` for what would read as nothing; `unknown` for null. */
export function percentText(percent: number | null): string {
  if (percent === null) return 'unknown'
  return percent > 0 && percent < 0.1 ? '<0.1 %' : `${percent.toFixed(1)} %`
}
