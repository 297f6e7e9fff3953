// What surrounds a live process and shapes its malloc: CPUs, control groups, the kernel's limits, its environment.
import type { Surroundings } from '../target.js'
import { readCgroupLimits } from './cgroup.js'
import { countCpus } from './cpu-list.js'
import { readTextOrNull } from './proc-file.js'

/** Surroundings of process `pid`; `root` stands in front of every path, for tests. Nothing throws: unknown is null. */
export function readSurroundings(pid: number, root = ''): Surroundings {
  const online = readTextOrNull(`${root}/sys/devices/system/cpu/online`)
  const status = readTextOrNull(`${root}/proc/${pid}/status`) ?? ''
  const allowed = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1]
  const mappings = readTextOrNull(`${root}/proc/sys/vm/max_map_count`)?.trim() ?? ''
  return {
    onlineCpus: online === null ? null : countCpus(online),
    allowedCpus: allowed === undefined ? null : countCpus(allowed),
    ...readCgroupLimits(pid, root),
    mostMappings: /^\d{1,10}$/.test(mappings) ? Number(mappings) : null,
    mallocEnvironment: mallocEnvironment(readTextOrNull(`${root}/proc/${pid}/environ`)),
  }
}

// Other variables may be secrets: they are not kept.
function mallocEnvironment(text: string | null): Surroundings['mallocEnvironment'] {
  if (text === null) return null
  return text.split('\0').flatMap((entry) => {
    const match = /^(MALLOC_\w*|GLIBC_TUNABLES)=([\s\S]*)$/.exec(entry)
    return match ? [[match[1]!, match[2]!] as const] : []
  })
}
