// Which memory of a target is worth searching: what it can read itself, without pages that were never touched.
import { type Address, address } from '../memory/address.js'
import type { Span } from '../memory/search.js'
import type { Target } from '../target/target.js'

/** Reading a device's memory can do something; what the kernel shows of itself is no data of the process. */
const NOT_MEMORY = /^(?:\/dev\/(?!shm\/|zero)|\[v(?:var|syscall)|anon_inode:)/

/**
 * The stretches of `target` that hold bytes, sorted. Of anonymous memory only the pages that are there: others are zeros
 * (or, in a core, not saved), and reading them would make a live process larger.
 */
export function searchableSpans(target: Target): Span[] {
  return target
    .regions()
    .filter(({ permissions, path }) => permissions.read && !NOT_MEMORY.test(path ?? ''))
    .flatMap(({ start, end, path }) => {
      const isAnonymous = path === null || path.startsWith('[')
      return isAnonymous ? pagesThere(target, start, end) : [{ start, end }]
    })
}

function pagesThere(target: Target, start: Address, end: Address): Span[] {
  const pages = target.residentPages(start, end)
  if (!pages) return [{ start, end }]
  const spans: Span[] = []
  let from = Number(start)
  for (let i = pages.gapEndingAfter(from); i < pages.gapStarts.length; i++) {
    const gap = pages.gapStarts[i]!
    if (gap >= Number(end)) break
    if (gap > from) spans.push({ start: address(from), end: address(gap) })
    from = pages.gapEnds[i]!
  }
  if (from < Number(end)) spans.push({ start: address(from), end })
  return spans
}
