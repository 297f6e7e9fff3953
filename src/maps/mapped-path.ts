// What the name of a mapping tells: the kernel's own names, shared memory, ELF files and other files.
import type { Region } from '../memory/region.js'
import type { Category } from './categories.js'

/** A path without the ` (deleted)` that the kernel adds to the name of an unlinked file. */
export function filePath(path: string): string {
  return path.endsWith(' (deleted)') ? path.slice(0, -' (deleted)'.length) : path
}

/** True for private memory without a file; names given by prctl (`[anon:…]`) do not make it a file. */
export function isAnonymous({ path, permissions }: Region): boolean {
  return (
    !permissions.shared && (path === null || path.startsWith('[anon:') || path.startsWith('/anon_hugepage'))
  )
}

/** True for a mapping that its process can neither read, write nor execute. */
export function isForbidden({ permissions: p }: Region): boolean {
  return !p.read && !p.write && !p.execute
}

const SHARED_MEMORY = /^(\/dev\/shm\/|\/SYSV|\/memfd:|\/anon_hugepage|\[anon_shmem:)/
const SHARED_OBJECT = /\.so(\.[^/]*)?$/

/**
 * Category by name, or null where the name says nothing. The names in `[anon: glibc: …]` are glibc's own
 * (tunable glibc.mem.decorate_maps, glibc ≥ 2.39, elf/ and malloc/ callers of __set_vma_name).
 */
export function categoryOfName(region: Region): Category | null {
  const { path, permissions } = region
  if (path === null) return permissions.shared ? 'shared memory' : null
  if (path === '[heap]') return 'main heap'
  if (path === '[stack]') return 'main stack'
  if (/^\[stack:\d+\]$/.test(path)) return 'thread stacks'
  const forbidden = isForbidden(region)
  if (path === '[anon: glibc: malloc arena]')
    return forbidden ? 'arena heaps, reserved' : 'arena heaps, committed'
  if (path === '[anon: glibc: malloc]') return 'mmapped chunks'
  if (path.startsWith('[anon: glibc: pthread')) return forbidden ? 'stack guards' : 'thread stacks'
  if (SHARED_MEMORY.test(path) && (permissions.shared || !path.startsWith('/anon_hugepage')))
    return 'shared memory'
  if (filePath(path) === '/dev/zero') return permissions.shared ? 'shared memory' : 'other anonymous'
  if (path.startsWith('[') && !path.startsWith('[anon:')) return 'kernel (vdso)'
  return null
}

/** Paths of the ELF files among the mappings, the program included: by name, or by permission to execute. */
export function elfPaths(regions: readonly Region[]): Set<string> {
  const everythingExecutes = regions.some(
    ({ path, permissions }) => path === '[stack]' && permissions.execute,
  )
  const writable = new Set<string>()
  const executable = new Set<string>()
  const out = new Set<string>()
  for (const { path, permissions } of regions) {
    if (path === null || !path.startsWith('/')) continue
    if (SHARED_OBJECT.test(filePath(path))) out.add(path)
    if (permissions.execute) executable.add(path)
    if (permissions.write && !permissions.shared) writable.add(path)
  }
  // READ_IMPLIES_EXEC makes every readable file executable: there, an ELF file is one with writable data as well.
  for (const path of executable) if (!everythingExecutes || writable.has(path)) out.add(path)
  return out
}
