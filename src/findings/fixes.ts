// Fixes as exact text: which variable, tunable and mallopt call does what, by glibc version.
import { bytesText } from '../format/sizes.js'
import { minorVersion } from '../malloc/layout.js'
import type { Facts } from './facts.js'
import type { Fix } from './finding.js'

/** How one of malloc's parameters is set; null where there is no such way. */
interface Setting {
  readonly environment: string | null
  /** Without `glibc.malloc.`. */
  readonly tunable: string | null
  readonly mallopt: string | null
  /** First minor version that knows the tunable. */
  readonly tunableSince: number
}

/** From here on GLIBC_TUNABLES is read (2.25 had it, switched off as a rule). */
const TUNABLES_SINCE = 26

/**
 * glibc's manual, "Memory Allocation Tunables" and "Malloc Tunable Parameters", and elf/dl-tunables.list: the variables
 * are names for the tunables since 2.26 and were read by malloc itself before; 2.44 still has them.
 */
export const SETTINGS = {
  arenaMax: setting('MALLOC_ARENA_MAX', 'arena_max', 'M_ARENA_MAX'),
  trimThreshold: setting('MALLOC_TRIM_THRESHOLD_', 'trim_threshold', 'M_TRIM_THRESHOLD'),
  topPad: setting('MALLOC_TOP_PAD_', 'top_pad', 'M_TOP_PAD'),
  mmapThreshold: setting('MALLOC_MMAP_THRESHOLD_', 'mmap_threshold', 'M_MMAP_THRESHOLD'),
  mmapMax: setting('MALLOC_MMAP_MAX_', 'mmap_max', 'M_MMAP_MAX'),
  tcacheCount: setting(null, 'tcache_count', null),
} as const satisfies Readonly<Record<string, Setting>>

function setting(environment: string | null, tunable: string, mallopt: string | null): Setting {
  return { environment, tunable, mallopt, tunableSince: TUNABLES_SINCE }
}

/** Every way to give `name` the value, best first, for the target's glibc; all need a restart. */
export function fixesFor(
  name: keyof typeof SETTINGS,
  value: number,
  facts: Facts,
  note: string,
): readonly Fix[] {
  const { environment, tunable, mallopt, tunableSince }: Setting = SETTINGS[name]
  const minor = minorVersion(facts.heap?.glibc.version ?? null)
  const fixes: Fix[] = []
  if (environment !== null) {
    fixes.push({ how: 'environment', text: `${environment}=${value}`, restart: true, note })
  }
  if (tunable !== null && (minor === null || minor >= tunableSince)) {
    const from = minor === null ? `from glibc 2.${tunableSince} on` : null
    fixes.push({
      how: 'tunable',
      text: `GLIBC_TUNABLES=${withOthers(facts, `glibc.malloc.${tunable}`, value)}`,
      restart: true,
      note: [environment === null ? note : null, from].filter((part) => part !== null).join('; ') || null,
    })
  }
  if (mallopt !== null) {
    fixes.push({
      how: 'mallopt',
      text: `mallopt(${mallopt}, ${value})`,
      restart: true,
      note: `in the program, at the start of main, before threads; ${SECURE}`,
    })
  }
  return fixes
}

const SECURE = 'the only way for set-user-ID programs, which ignore both variables'

// One variable holds all tunables: what the process was started with is kept.
function withOthers({ surroundings }: Facts, name: string, value: number): string {
  const today = surroundings?.mallocEnvironment?.find(([variable]) => variable === 'GLIBC_TUNABLES')?.[1]
  const others = (today ?? '').split(':').filter((entry) => entry !== '' && !entry.startsWith(`${name}=`))
  return [...others, `${name}=${value}`].join(':')
}

/** Below this a call inside the target is not worth it. */
const LEAST_TRIM_BYTES = 2 ** 20

/** The command that hands free memory back now, where the target lives and it would return something worth it. */
export function trimNow({ kind, pid, heap }: Facts): readonly Fix[] {
  const bytes = heap?.totals.trimReturnsBytes ?? null
  if (kind === 'core' || pid === null || bytes === null || bytes < LEAST_TRIM_BYTES) return []
  const note = `would return ${bytesText(bytes)} of RAM (whole free pages)`
  return [{ how: 'command', text: `arena-inspect trim --pid ${pid}`, restart: false, note }]
}
