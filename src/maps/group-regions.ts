// Pieces of the address space added up by what they have in common.
import { permissionText, type Region, sizeOf } from '../memory/region.js'
import type { Piece } from './categorize.js'
import { filePath } from './mapped-path.js'

export const GROUPINGS = ['category', 'path', 'suffix', 'permissions'] as const

export type Grouping = (typeof GROUPINGS)[number]

/** Sum over the pieces with one key; `mappings` counts a mapping once however many pieces of it are in the row. */
export interface GroupRow {
  readonly key: string
  readonly mappings: number
  readonly virtualBytes: number
  /** In RAM now; null when it is unknown for a piece. */
  readonly residentBytes: number | null
}

const KEYS: Record<Grouping, (piece: Piece) => string> = {
  category: (piece) => piece.category,
  path: ({ region }) => region.path ?? '[anon]',
  suffix: ({ region }) => suffixOf(region.path),
  permissions: ({ region }) => permissionText(region.permissions),
}

/** Rows by virtual size, the biggest first; pieces as `categorize` returns them. */
export function groupRegions(pieces: readonly Piece[], by: Grouping): GroupRow[] {
  const rows = new Map<
    string,
    { key: string; mappings: number; virtualBytes: number; residentBytes: number | null; last: Region }
  >()
  for (const piece of pieces) {
    const key = KEYS[by](piece)
    let row = rows.get(key)
    if (!row) {
      row = { key, mappings: 1, virtualBytes: 0, residentBytes: 0, last: piece.region }
      rows.set(key, row)
    }
    if (row.last !== piece.region) row.mappings++
    row.last = piece.region
    row.virtualBytes += sizeOf(piece)
    row.residentBytes =
      row.residentBytes === null || piece.residentBytes === null
        ? null
        : row.residentBytes + piece.residentBytes
  }
  return [...rows.values()]
    .map(({ last: _, ...row }) => row)
    .sort((a, b) => b.virtualBytes - a.virtualBytes || (a.key < b.key ? -1 : 1))
}

/** `.so` of `libc.so.6`, `.mo`, the kernel's names as they are, `[anon]` without a path, `[no suffix]` of `/bin/sh`. */
function suffixOf(path: string | null): string {
  if (path === null) return '[anon]'
  if (path.startsWith('[')) return path.startsWith('[anon:') ? '[anon]' : path
  const name = filePath(path).slice(filePath(path).lastIndexOf('/') + 1)
  if (/\.so(\.|$)/.test(name)) return '.so'
  return /.(\.[^.]+)$/.exec(name)?.[1] ?? '[no suffix]'
}
