// Where a list's cursor goes on the keys that everybody knows.
import type { Key } from './keys.js'

/** The new cursor in a list of `count` rows of which `page` are on the screen; null when the key is no motion. */
export function moveInList(key: Key, cursor: number, count: number, page: number): number | null {
  const last = Math.max(0, count - 1)
  const within = (at: number) => Math.min(last, Math.max(0, at))
  const half = Math.max(1, page >> 1)
  switch (key) {
    case 'j':
    case 'down':
      return within(cursor + 1)
    case 'k':
    case 'up':
      return within(cursor - 1)
    case 'pagedown':
    case 'ctrl-f':
      return within(cursor + Math.max(1, page))
    case 'pageup':
    case 'ctrl-b':
      return within(cursor - Math.max(1, page))
    case 'ctrl-d':
      return within(cursor + half)
    case 'ctrl-u':
      return within(cursor - half)
    case 'g':
    case 'home':
      return 0
    case 'G':
    case 'end':
      return last
    default:
      return null
  }
}

/** The first row to show so that `cursor` is among the `page` rows from it, moving as little as can be. */
export function scrollTop(top: number, cursor: number, count: number, page: number): number {
  const highest = Math.max(0, count - page)
  return Math.min(highest, Math.max(0, Math.min(cursor, Math.max(top, cursor - page + 1))))
}
