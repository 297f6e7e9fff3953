// A core of a dozen arenas that use little of what they hold.
import { join } from 'node:path'
import { compile, gcore, kernelCore, kernelCores, start } from './programs.js'

/** Path of a core of examples/programs/arena-bloat.c in `folder`: arenas with 99 % of 8 MiB each freed. */
export async function bloatCore(folder: string, arenas = 12): Promise<string> {
  const program = compile('examples/programs/arena-bloat.c')
  const running = await start(program, [String(arenas), '8', '1', 'log:16:4096', join(folder, 'out')], {
    cwd: folder,
  })
  try {
    if (kernelCores()) return await kernelCore(running, folder, 'core.bloat')
    return gcore(running.pid, join(folder, 'core.bloat'))
  } finally {
    await running.kill()
  }
}
