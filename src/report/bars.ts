// Shares drawn with block characters.
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

/** `part` of `whole` as a bar of at most `width` cells, to an eighth of a cell; empty where either is unknown. */
export function bar(part: number | null, whole: number | null, width: number): string {
  if (part === null || whole === null || whole <= 0 || part <= 0) return ''
  const eighths = Math.max(1, Math.round((Math.min(part, whole) / whole) * width * 8))
  return '█'.repeat(eighths >> 3) + EIGHTHS[eighths & 7]
}
