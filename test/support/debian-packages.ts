// Files of Debian packages that are not installed: downloaded by apt-get, unpacked into a folder of their own.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const CACHE = join(tmpdir(), `arena-inspect-test-packages-${process.getuid?.() ?? 0}`)

/** The folder that holds the package's files as under `/`, kept between runs; or why there is none. */
export function packageFiles(name: string): { readonly root: string } | { readonly reason: string } {
  const root = join(CACHE, name)
  if (existsSync(root)) return { root }
  mkdirSync(CACHE, { recursive: true, mode: 0o700 })
  const draft = mkdtempSync(join(CACHE, 'draft-'))
  try {
    const got = spawnSync('apt-get', ['download', '-q', name], {
      cwd: draft,
      encoding: 'utf8',
      timeout: 30_000,
    })
    const file = readdirSync(draft).find((entry) => entry.endsWith('.deb'))
    if (!file) {
      const why = got.error?.message ?? got.stderr?.trim().split('\n').at(-1)
      return { reason: `package ${name} could not be downloaded: ${why || got.status}` }
    }
    const files = join(draft, 'files')
    const unpacked = spawnSync('dpkg', ['-x', join(draft, file), files], { encoding: 'utf8' })
    if (unpacked.status !== 0) return { reason: `package ${name} could not be unpacked: ${unpacked.stderr}` }
    if (!existsSync(root)) renameSync(files, root)
    return { root }
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}
