// Damage in malloc's own structures: somebody wrote where only malloc may.
import type { Anomaly } from '../../malloc/heap-model.js'
import type { Facts } from '../facts.js'
import type { Finding } from '../finding.js'
import { defineRule, type Rule } from '../rule.js'

/** Anomalies that only a wrong write explains; a process that moves, or memory that is not there, gives others. */
const DAMAGE: ReadonlySet<string> = new Set([
  'ring-broken',
  'heap-chain-broken',
  'top-broken',
  'walk-stopped',
  'bin-broken',
  'fastbin-broken',
  'tcache-broken',
  'free-exceeds-system',
  'lists-exceed-used',
  'system-bytes-impossible',
  'mmapped-bytes-impossible',
])
/** These compare what was read at two moments: in a process that runs they tell of movement as well. */
const COMPARED: ReadonlySet<string> = new Set(['tcache-broken', 'free-exceeds-system', 'lists-exceed-used'])
/** Words of anomalies whose memory is missing, not damaged. */
const MISSING = /not saved in the core|could not be read|cannot be read|not all were found/
/** Places told in the evidence. */
const MOST_PLACES = 5

export const corruption: Rule = defineRule({
  name: 'corruption',
  thresholds: {},
  check,
  explain: () => ({
    measures:
      "damage in malloc's own structures: chunk headers, free lists, tops, heap_info, the ring of arenas",
    how: 'every chunk is walked from the first to top, every list is followed and checked against the walk; places that were read while they changed, or that are not in the core, do not count, nor on a live process what compares two readings (lists of tcaches against the walk)',
    thresholds: [
      'any damaged place is critical: malloc aborts, or hands out the same memory twice, once it meets it',
    ],
    read: [
      'mallopt(3): M_CHECK_ACTION, M_PERTURB; MALLOC_CHECK_ with libc_malloc_debug.so.0 (glibc 2.34 on)',
      'glibc manual: "Heap Consistency Checking"',
      'AddressSanitizer: gcc(1), -fsanitize=address',
    ],
  }),
})

function check({ heap, kind }: Facts): Finding | null {
  const places = (heap?.anomalies ?? []).filter(
    (anomaly) => isDamage(anomaly) && !(kind === 'live' && COMPARED.has(anomaly.code)),
  )
  const [first] = places
  if (!first) return null
  const many = places.length === 1 ? 'a place is damaged' : `${places.length} places are damaged`
  return {
    rule: corruption.name,
    severity: 'critical',
    title: `malloc's own structures are corrupt: ${many}`,
    evidence: [
      { label: 'damaged places', value: places.length, unit: 'count' },
      ...places
        .slice(0, MOST_PLACES)
        .map(({ code, what }) => ({ label: code, value: what, unit: 'text' as const })),
    ],
    nextStep: `look at what lies before it: arena-inspect x TARGET 0x${first.at.toString(16)} --as chunks; then run the program with -fsanitize=address, or under valgrind, to see who writes there`,
  }
}

function isDamage({ code, what }: Anomaly): boolean {
  return DAMAGE.has(code) && !MISSING.test(what)
}
