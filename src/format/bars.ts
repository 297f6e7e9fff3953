// Shares drawn with block characters.
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

/** A bar of at most `width` cells for `share` 0 … 1, to an eighth of a cell; anything above zero shows a sliver. */
export function bar(share: number | null, width: number): string {
  if (share === null || !(share > 0)) return ''
  const eighths = Math.max(1, Math.round(Math.min(1, share) * width * 8))
  return '█'.repeat(eighths >> 3) + EIGHTHS[eighths & 7]!
}
