// Moments as people read them, in the local time zone, which is always said.

/** `14:03:09` of a moment in ms since 1970. */
export function clockText(atMs: number): string {
  const at = new Date(atMs)
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(twoDigits).join(':')
}

/** `2026-11-24 14:03:09`. */
export function dateText(atMs: number): string {
  const at = new Date(atMs)
  return `${at.getFullYear()}-${twoDigits(at.getMonth() + 1)}-${twoDigits(at.getDate())} ${clockText(atMs)}`
}

/** `UTC+01:00`: the zone that the texts above are in at that moment. */
export function zoneText(atMs: number): string {
  const east = -new Date(atMs).getTimezoneOffset()
  const sign = east < 0 ? '-' : '+'
  return `UTC${sign}${twoDigits(Math.floor(Math.abs(east) / 60))}:${twoDigits(Math.abs(east) % 60)}`
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}
