// Which of the target's mappings are libc's, and which version it says it is.
import { type Address, address, offset } from '../../memory/address.js'
import { type Region, sizeOf } from '../../memory/region.js'
import type { Module, Target } from '../../target/target.js'

/** A run of adjacent mappings. */
export interface Stretch {
  readonly start: Address
  readonly sizeBytes: number
}

const LIBC = /(^|\/)libc(-2\.\d+)?\.so(\.6)?$/
const BLOCK = 1 << 20
// Longer than any banner, so that one which crosses two blocks is seen whole in the second.
const OVERLAP = 256

/** The mapped libc.so.6, or null (a static program, another libc, or its path is unknown). */
export function libcModule(target: Target): Module | null {
  return target.modules().find((module) => LIBC.test(module.path)) ?? null
}

/** `2.36` from libc's own banner in read-only data, of libc.so.6 or of a static program; null when it is not readable. */
export function libcVersion(target: Target): string | null {
  const libc = libcModule(target)
  const modules = libc ? [libc] : target.modules().filter((module) => module.isProgram)
  const paths = new Set(modules.map((module) => mappedAs(target, module)))
  for (const region of target.regions()) {
    if (region.path === null || !paths.has(region.path) || region.permissions.write) continue
    const version = bannerIn(target, region)
    if (version) return version
  }
  return null
}

/** The path that the module's mappings have: of a file that is no more it says so, the module's does not. */
function mappedAs(target: Target, module: Module | null | undefined): string | undefined {
  if (!module) return undefined
  const region = target.regions().find(({ start, end }) => start <= module.base && module.base < end)
  return region?.path ?? module.path
}

function bannerIn(target: Target, region: Region): string | null {
  const block = new Uint8Array(BLOCK)
  for (let at = 0; at < sizeOf(region); at += BLOCK - OVERLAP) {
    const wanted = Math.min(BLOCK, sizeOf(region) - at)
    const got = target.memory.read(offset(region.start, at), block.subarray(0, wanted))
    const version = versionIn(block.subarray(0, got))
    if (version) return version
    if (got < wanted) return null
  }
  return null
}

// Only what follows each start of a banner is decoded: all of a libc would take longer than reading its heaps.
function versionIn(bytes: Uint8Array): string | null {
  const start = new TextEncoder().encode('GNU C Library (')
  const decoder = new TextDecoder('latin1')
  const banner = /^GNU C Library \([^)]*\) (?:stable|development) release version (2\.\d+)/
  for (let at = bytes.indexOf(start[0]!); at >= 0; at = bytes.indexOf(start[0]!, at + 1)) {
    if (!start.every((byte, index) => bytes[at + index] === byte)) continue
    const match = banner.exec(decoder.decode(bytes.subarray(at, at + OVERLAP)))
    if (match) return match[1]!
  }
  return null
}

/**
 * Where main_arena and mp_ can be: writable data (.data and the .bss behind it) of libc first, then of the
 * program (static linking), then of every other mapped file.
 */
export function libcRegions(target: Target): readonly Stretch[] {
  const libc = mappedAs(target, libcModule(target))
  const program = mappedAs(
    target,
    target.modules().find((module) => module.isProgram),
  )
  const rank = (region: Region) => (region.path === libc ? 0 : region.path === program ? 1 : 2)
  const regions = target.regions()
  const data = regions
    .map((region, index) => ({ region, index }))
    .filter(({ region }) => isData(region) && region.path?.startsWith('/'))
    .sort((a, b) => rank(a.region) - rank(b.region) || a.index - b.index)
  return data.map(({ region, index }) => {
    let end = region.end
    for (let next = index + 1; next < regions.length; next++) {
      const behind = regions[next]!
      if (behind.start !== end || !isData(behind) || (behind.path !== null && behind.path !== '[heap]')) break
      if (behind.path === '[heap]' && libc !== undefined) break
      end = behind.end
    }
    return { start: address(region.start), sizeBytes: Number(end - region.start) }
  })
}

function isData(region: Region): boolean {
  const { read, write, shared } = region.permissions
  return read && write && !shared
}
