// The text of /proc/PID/maps and /proc/PID/smaps as regions; saved copies of either parse too.
import { address } from '../../memory/address.js'
import type { Region } from '../../memory/region.js'
import { TargetError } from '../target.js'

/** A region with what else its maps line tells: which file it is, whatever the path now names. */
export interface MapsRegion extends Region {
  /** Device of the file as `major:minor` in hex, `00:00` for anonymous memory. */
  readonly device: string
  /** Inode of the file, 0 for anonymous memory. */
  readonly inode: bigint
}

const LINE =
  /^([0-9a-f]+)-([0-9a-f]+) ([r-])([w-])([x-])([sp]) ([0-9a-f]+) ([0-9a-f]+:[0-9a-f]+) (\d+)(?: +(.*))?$/s
const SMAPS_KEY = /^[A-Z][A-Za-z0-9_]*:/
const HINT = 'Give a copy of /proc/PID/maps or /proc/PID/smaps as the kernel writes it.'

/**
 * Regions by address of a maps or smaps text. `path` is as the kernel prints it, with `\012` made a line feed
 * again and ` (deleted)` kept (see `withoutDeleted`). Throws a TargetError that names the first bad line.
 */
export function parseMaps(text: string): MapsRegion[] {
  const regions: MapsRegion[] = []
  let lineNumber = 0
  for (const raw of text.split('\n')) {
    lineNumber++
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw
    if (line === '' || SMAPS_KEY.test(line)) continue
    const region = parseMapsLine(line)
    if (region === null)
      throw new TargetError(`line ${lineNumber} is not a line of maps: ${excerpt(line)}`, HINT)
    const before = regions.at(-1)
    if (region.end <= region.start || (before && region.start < before.end)) {
      throw new TargetError(`line ${lineNumber} overlaps the line before or is empty: ${excerpt(line)}`, HINT)
    }
    regions.push(region)
  }
  return regions
}

/** The region of one maps line, or null when the line is not one. */
export function parseMapsLine(line: string): MapsRegion | null {
  const match = LINE.exec(line)
  if (!match) return null
  const [, start, end, r, w, x, shared, fileOffset, device, inode, path] = match
  if (start!.length > 16 || end!.length > 16 || path === '[rollup]') return null
  return {
    start: address(BigInt(`0x${start}`)),
    end: address(BigInt(`0x${end}`)),
    permissions: { read: r === 'r', write: w === 'w', execute: x === 'x', shared: shared === 's' },
    fileOffset: BigInt(`0x${fileOffset}`),
    path: path ? path.replaceAll('\\012', '\n') : null,
    device: device!,
    inode: BigInt(inode!),
  }
}

/** A path without the ` (deleted)` that the kernel adds to the name of an unlinked file. */
export function withoutDeleted(path: string): string {
  return path.endsWith(' (deleted)') ? path.slice(0, -' (deleted)'.length) : path
}

function excerpt(line: string): string {
  return JSON.stringify(line.length > 80 ? `${line.slice(0, 80)}…` : line)
}
