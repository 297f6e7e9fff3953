// Numbers as people read them: IEC sizes, counts with separators, percentages.
import prettyBytes from 'pretty-bytes'

// Made when first needed: loading ICU's data costs as much as opening a core.
let thousands: Intl.NumberFormat | null = null

/** `12.7 GiB`, `412.0 MiB`, `96 B`; one decimal, cut off rather than rounded; `unknown` for null. */
export function bytesText(bytes: number | null): string {
  if (bytes === null) return 'unknown'
  const digits = Math.abs(bytes) < 1024 ? 0 : 1
  return prettyBytes(bytes, { binary: true, minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** `4,310,002`; `unknown` for null. */
export function countText(count: number | null): string {
  if (count === null) return 'unknown'
  thousands ??= new Intl.NumberFormat('en-US')
  return thousands.format(count)
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
