// malloc is not glibc's here: most of this report is about what little glibc serves.

import { whoseMalloc } from '../../malloc/detect/other-allocator.js'
import type { Facts } from '../facts.js'
import type { Evidence, Finding } from '../finding.js'
import { defineRule, type Rule } from '../rule.js'

/** How each allocator tells of itself. Sources: jemalloc(3), gperftools docs/tcmalloc.html, mimalloc readme. */
const ASK: Readonly<Record<string, string>> = {
  jemalloc:
    'ask jemalloc: malloc_stats_print() in the program, or start it with MALLOC_CONF=stats_print:true; `arena-inspect maps` shows what it mapped',
  tcmalloc:
    'ask tcmalloc: MallocExtension::instance()->GetStats() in the program, or start it with MALLOCSTATS=1; `arena-inspect maps` shows what it mapped',
  mimalloc:
    'ask mimalloc: mi_stats_print() in the program, or start it with MIMALLOC_SHOW_STATS=1; `arena-inspect maps` shows what it mapped',
}
const OTHERWISE = 'look at `arena-inspect maps` for what it mapped; its own statistics say what is in use'

export const otherAllocator: Rule = defineRule({
  name: 'other-allocator',
  thresholds: {},
  check,
  explain: () => ({
    measures: "whether malloc is another allocator's (jemalloc, tcmalloc, mimalloc) or another libc's",
    how: 'by the libraries that are mapped and by names that such allocators leave in a program',
    thresholds: ['for information wherever one is seen'],
    read: ['jemalloc(3)', 'gperftools: docs/tcmalloc.html', 'ld.so(8): LD_PRELOAD'],
  }),
})

function check({ otherAllocator: other, heap }: Facts): Finding | null {
  if (!other) return null
  const elsewhere =
    other.place === 'libc' ? "glibc's is not in this process" : "what it serves is not in glibc's arenas"
  const glibc: readonly Evidence[] = [
    { label: "system bytes of glibc's arenas", value: heap?.totals.systemBytes ?? null, unit: 'bytes' },
    { label: "glibc's mmapped chunks", value: heap?.mmapped.bytes ?? null, unit: 'bytes' },
  ]
  return {
    rule: otherAllocator.name,
    severity: 'info',
    title: `${whoseMalloc(other)}: ${elsewhere}`,
    evidence: [
      { label: 'allocator', value: other.name, unit: 'text' },
      { label: 'seen by', value: other.how, unit: 'text' },
      ...(heap ? glibc : []),
    ],
    nextStep: ASK[other.name] ?? OTHERWISE,
  }
}
