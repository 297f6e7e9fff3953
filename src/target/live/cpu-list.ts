// Lists of CPUs as the kernel writes them: `0-3,8,10-11`.

/** How many CPUs the list names; null where it is no such list, or empty. */
export function countCpus(list: string): number | null {
  let count = 0
  for (const part of list.trim().split(',')) {
    const match = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part)
    if (!match) return null
    const first = Number(match[1])
    const last = Number(match[2] ?? match[1])
    if (last < first) return null
    count += last - first + 1
  }
  return count
}
