// What surrounds a process behind a stub, from copies of the same files that are read of a live one.

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { readSurroundings } from '../../live/surroundings.js'
import type { Surroundings } from '../../target.js'
import type { RemoteFiles } from './remote-files.js'

const CGROUP_FILES = ['cpu.max', 'memory.max', 'memory.current']

/** Null where the stub gives no files; cgroup limits are those of cgroup v2, where it is mounted as usual. */
export function readRemoteSurroundings(pid: number, files: RemoteFiles): Surroundings | null {
  const root = files.folder('machine')
  const copy = (path: string) => files.copy(path, join(root, path))
  try {
    if (!copy(`/proc/${pid}/status`)) return null
    for (const path of [`/proc/${pid}/environ`, `/proc/${pid}/cgroup`, '/proc/self/mountinfo']) copy(path)
    for (const path of ['/sys/devices/system/cpu/online', '/proc/sys/vm/max_map_count']) copy(path)
    const group = /^0::(\/[^\n]*)$/m.exec(files.text(`/proc/${pid}/cgroup`) ?? '')?.[1]
    for (let at = group === undefined || group.includes('..') ? '' : group; at.length > 1; ) {
      for (const name of CGROUP_FILES) copy(`/sys/fs/cgroup${at}/${name}`)
      at = at.slice(0, at.lastIndexOf('/'))
    }
    return readSurroundings(pid, root)
  } finally {
    // Environments hold secrets.
    rmSync(root, { recursive: true, force: true })
  }
}
