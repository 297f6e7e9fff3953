// glibc's malloc as it is before its first use: main_arena as libc's file has it, which no bin gives away.
import { PageCache } from '../../memory/page-cache.js'
import type { Target } from '../../target/target.js'
import { layoutOfVersion, minorVersion } from '../layout.js'
import { libcModule, libcRegions, libcVersion, type Stretch } from './libc.js'

// Far above any libc's .data and .bss.
const MOST_BYTES = 4 << 20

/**
 * True when glibc is mapped and its malloc was never asked for anything: its arenas hold 0 bytes. False when that
 * cannot be seen. Source: `static struct malloc_state main_arena` in glibc's malloc/malloc.c, whose only members that
 * are not zero are `next`, its own address, and (2.23 on) `attached_threads`, 1.
 */
export function isGlibcUnused(target: Target): boolean {
  const minor = minorVersion(libcVersion(target))
  const [stretch] = libcRegions(target)
  if (minor === null || !stretch || !libcModule(target) || stretch.sizeBytes > MOST_BYTES) return false
  return hasUnusedArena(target, stretch, minor)
}

function hasUnusedArena(target: Target, stretch: Stretch, minor: number): boolean {
  const word = target.wordBytes
  const { arena } = layoutOfVersion(minor, word)
  const cache = new PageCache(target.memory, MOST_BYTES >> 12)
  const end = stretch.start + BigInt(stretch.sizeBytes)
  for (let at: bigint = stretch.start; at + BigInt(arena.sizeBytes) <= end; at += BigInt(word)) {
    if (cache.word(at + BigInt(arena.next), word) !== at) continue
    let others = 0
    for (let member = 0; member + word <= arena.sizeBytes; member += word) {
      const own = member === arena.next || member === arena.attachedThreads
      if (!own && cache.word(at + BigInt(member), word) !== 0n) others++
    }
    const { attachedThreads } = arena
    const threads = attachedThreads === null ? 1n : cache.word(at + BigInt(attachedThreads), word)
    if (others === 0 && threads === 1n) return true
  }
  return false
}
