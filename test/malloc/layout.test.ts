// The derived layouts against the table of offsets collected from binaries and sources of every version.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { layoutOfVersion, minorVersion } from '../../src/malloc/layout.js'

type Table = Record<string, Record<string, Record<string, number>> & { nfb: number }>
const TABLE = JSON.parse(readFileSync(new URL('./glibc-layouts.json', import.meta.url), 'utf8')) as Table

t.test('every version of the table', async (t) => {
  t.equal(Object.keys(TABLE).length, 56)
  for (const [key, row] of Object.entries(TABLE)) {
    const [bits, version] = key.split(':') as [string, string]
    const layout = layoutOfVersion(minorVersion(version)!, bits === '64' ? 8 : 4)
    const state = row.malloc_state!
    const par = row.malloc_par!
    const heap = row._heap_info!
    t.same(
      {
        flags: layout.arena.flags,
        fastbinsY: layout.arena.fastbins ?? undefined,
        top: layout.arena.top,
        bins: layout.arena.bins,
        next: layout.arena.next,
        attached_threads: layout.arena.attachedThreads ?? undefined,
        system_mem: layout.arena.systemMem,
        max_system_mem: layout.arena.maxSystemMem,
        _size: layout.arena.sizeBytes,
        nfb: layout.arena.fastbinCount,
      },
      {
        flags: state.flags,
        fastbinsY: state.fastbinsY,
        top: state.top,
        bins: state.bins,
        next: state.next,
        attached_threads: state.attached_threads,
        system_mem: state.system_mem,
        max_system_mem: state.max_system_mem,
        _size: state._size,
        nfb: state.fastbinsY === undefined ? 0 : row.nfb,
      },
      `malloc_state ${key}`,
    )
    t.same(
      {
        n_mmaps: layout.par.nMmaps,
        mmapped_mem: layout.par.mmappedMem,
        max_mmapped_mem: layout.par.maxMmappedMem,
        sbrk_base: layout.par.sbrkBase,
        hp_pagesize: layout.par.hugePageBytes ?? undefined,
        _size: layout.par.sizeBytes,
      },
      {
        n_mmaps: par.n_mmaps,
        mmapped_mem: par.mmapped_mem,
        max_mmapped_mem: par.max_mmapped_mem,
        sbrk_base: par.sbrk_base,
        hp_pagesize: par.hp_pagesize,
        _size: par._size,
      },
      `malloc_par ${key}`,
    )
    t.same(
      {
        ar_ptr: layout.heapInfo.arena,
        prev: layout.heapInfo.prev,
        size: layout.heapInfo.size,
        mprotect_size: layout.heapInfo.mprotectSize,
        _size: layout.heapInfo.sizeBytes,
      },
      {
        ar_ptr: heap.ar_ptr,
        prev: heap.prev,
        size: heap.size,
        mprotect_size: heap.mprotect_size,
        _size: heap._size,
      },
      `_heap_info ${key}`,
    )
  }
})

t.test('version text', async (t) => {
  t.equal(minorVersion('2.36'), 36)
  t.equal(minorVersion('2.31-13+deb11u11'), 31)
  t.equal(minorVersion('3.0'), null)
  t.equal(minorVersion(null), null)
})
