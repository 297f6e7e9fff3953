// Where main_arena and mp_ are and which layout they have: from debug information, else from memory alone.
import { hex } from '../../memory/address.js'
import { PageCache } from '../../memory/page-cache.js'
import type { StructLayout, Symbols, Target } from '../../target/target.js'
import type { Anomaly, Glibc, LayoutSource } from '../heap-model.js'
import { type GlibcLayout, layoutOfVersion, minorVersion } from '../layout.js'
import { libcRegions, libcVersion } from './libc.js'
import { mainArenaByHeaps } from './main-arena-by-heaps.js'
import { type FoundArena, findMainArena, isMainArena } from './probe-main-arena.js'
import { findMallocPar } from './probe-malloc-par.js'

export interface Detection {
  readonly glibc: Glibc
  readonly layout: GlibcLayout
  readonly anomalies: readonly Anomaly[]
}

/** Finds glibc's malloc in a target; null when there is none (another libc or allocator, or never used). */
export async function detectGlibc(target: Target, symbols: Symbols | null): Promise<Detection | null> {
  const version = libcVersion(target)
  const minor = minorVersion(version)
  const anomalies: Anomaly[] = []
  if (symbols) {
    const known = await fromDebugInfo(target, symbols, version, minor)
    if (known) {
      if (standsThere(target, known)) return known
      // gdb can have another libc's symbols: the bins themselves decide (they point at their own headers).
      const what = `debug information puts main_arena at ${hex(known.glibc.mainArena)}, but no arena is there`
      anomalies.push({ at: known.glibc.mainArena, code: 'debug-info-refuted', what })
    }
  }
  const probed = probe(target, version, minor) ?? probeHeaps(target, version, minor)
  return probed && { ...probed, anomalies: [...anomalies, ...probed.anomalies] }
}

/** Looks at a live arena before it is taken for none: its bins are relinked all the time. */
const LIVE_LOOKS = 20

function standsThere(target: Target, { glibc, layout }: Detection): boolean {
  const looks = target.kind === 'core' ? 1 : LIVE_LOOKS
  for (let look = 0; look < looks; look++)
    if (isMainArena(target.memory, glibc.mainArena, layout)) return true
  return false
}

async function fromDebugInfo(
  target: Target,
  symbols: Symbols,
  version: string | null,
  minor: number | null,
): Promise<Detection | null> {
  const addresses = await symbols.addressesOf(['main_arena', 'mp_'])
  const mainArena = addresses.get('main_arena')
  if (mainArena === undefined) return null
  const structs = await symbols.layoutsOf(['malloc_state', 'malloc_par', '_heap_info'])
  const layout = layoutOfStructs(structs, target.wordBytes, minor)
  if (!layout) return null
  const mallocPar = addresses.get('mp_') ?? null
  return { glibc: { version, layoutFrom: 'debug-info', mainArena, mallocPar }, layout, anomalies: [] }
}

/** GlibcLayout from the three structs of glibc's debug information; null when one or a member is missing. */
export function layoutOfStructs(
  structs: ReadonlyMap<string, StructLayout>,
  word: 8 | 4,
  minor: number | null,
): GlibcLayout | null {
  const state = structs.get('malloc_state')
  const par = structs.get('malloc_par')
  const heap = structs.get('_heap_info')
  if (!state || !par || !heap) return null
  const need = (struct: StructLayout, member: string): number => struct.offsets.get(member) ?? Number.NaN
  const fastbins = state.offsets.get('fastbinsY') ?? null
  const top = need(state, 'top')
  const layout: GlibcLayout = {
    wordBytes: word,
    arena: {
      flags: need(state, 'flags'),
      fastbins,
      fastbinCount: fastbins === null ? 0 : Math.floor((top - fastbins) / word),
      top,
      bins: need(state, 'bins'),
      next: need(state, 'next'),
      attachedThreads: state.offsets.get('attached_threads') ?? null,
      systemMem: need(state, 'system_mem'),
      maxSystemMem: need(state, 'max_system_mem'),
      sizeBytes: state.sizeBytes,
    },
    heapInfo: {
      arena: need(heap, 'ar_ptr'),
      prev: need(heap, 'prev'),
      size: need(heap, 'size'),
      mprotectSize: need(heap, 'mprotect_size'),
      sizeBytes: heap.sizeBytes,
    },
    par: {
      nMmaps: need(par, 'n_mmaps'),
      mmappedMem: need(par, 'mmapped_mem'),
      maxMmappedMem: need(par, 'max_mmapped_mem'),
      sbrkBase: need(par, 'sbrk_base'),
      hugePageBytes: par.offsets.get('hp_pagesize') ?? null,
      sizeBytes: par.sizeBytes,
    },
    chunkAlign: word === 8 || minor === null || minor >= 26 ? 16 : 8,
    safeLinking: minor === null ? null : minor >= 32,
  }
  const numbers = [layout.arena, layout.heapInfo, layout.par].flatMap((part) => Object.values(part))
  return numbers.some((value) => Number.isNaN(value)) ? null : layout
}

// Without debug information: main_arena by its bins that point at themselves, in the data of libc or the program.
function probe(target: Target, version: string | null, minor: number | null): Detection | null {
  for (const region of libcRegions(target)) {
    const found = findMainArena(target.memory, region, target.wordBytes, minor)
    if (!found) continue
    const layout = layoutFor(target, found, minor)
    const mallocPar = findMallocPar(target, region, layout, minor)
    const layoutFrom: LayoutSource = found.fromTable ? 'table' : 'probe'
    const anomalies: Anomaly[] = []
    if (!mallocPar) {
      const what = "mp_ was not found near main_arena: mmapped chunks and the main heap's start are unknown"
      anomalies.push({ at: found.address, code: 'malloc-par-unknown', what })
    }
    const glibc = { version, layoutFrom, mainArena: found.address, mallocPar: mallocPar?.address ?? null }
    return { glibc, layout: mallocPar ? { ...layout, par: mallocPar.layout } : layout, anomalies }
  }
  return null
}

// Libc's data was not saved, or nothing tells which mapping it is: the arenas' heaps know the way.
function probeHeaps(target: Target, version: string | null, minor: number | null): Detection | null {
  const found = mainArenaByHeaps(target, minor)
  if (!found) return null
  const { layout, around } = found
  const mallocPar = around && findMallocPar(target, around, layout, minor)
  const anomalies: Anomaly[] = []
  const where = `main_arena was found at ${hex(found.address)} by the heaps of other arenas`
  if (!around) {
    const what = `${where}, but its memory is not at hand: what it holds is unknown, and so are mmapped chunks`
    anomalies.push({ at: found.address, code: 'main-arena-unreadable', what })
  } else if (!mallocPar) {
    const what = `${where}, mp_ was not: mmapped chunks and the main heap's start are unknown`
    anomalies.push({ at: found.address, code: 'malloc-par-unknown', what })
  }
  const glibc = {
    version,
    layoutFrom: 'probe',
    mainArena: found.address,
    mallocPar: mallocPar?.address ?? null,
  } as const
  return { glibc, layout: mallocPar ? { ...layout, par: mallocPar.layout } : layout, anomalies }
}

// The rest of the layout follows from the version, or else from what memory shows.
function layoutFor(target: Target, found: FoundArena, minor: number | null): GlibcLayout {
  const word = target.wordBytes
  const like = found.layout.fastbins === null ? 44 : found.layout.bins >= (word === 8 ? 0x70 : 0x40) ? 36 : 25
  const layout = layoutOfVersion(minor ?? like, word)
  return {
    ...layout,
    arena: found.layout,
    heapInfo: { ...layout.heapInfo, sizeBytes: heapInfoSize(target, found) ?? layout.heapInfo.sizeBytes },
    safeLinking: minor === null ? null : layout.safeLinking,
  }
}

// A non-main arena follows its first heap_info, which begins at a multiple of HEAP_MAX_SIZE.
function heapInfoSize(target: Target, found: FoundArena): number | null {
  const next = new PageCache(target.memory, 1).word(
    found.address + BigInt(found.layout.next),
    target.wordBytes,
  )
  if (next === null || next === found.address) return null
  const behind = Number(next & 0xfffn)
  return behind >= 4 * target.wordBytes && behind <= 0x40 ? behind : null
}
