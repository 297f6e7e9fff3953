// The packed npm package, and npm run without the settings of the npm that runs the tests.
import type { SpawnSyncReturns } from 'node:child_process'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { ROOT } from './programs.js'
import { runAsUser } from './user-run.js'

/** npm's cache of these tests, kept between runs. */
export const NPM_CACHE = join(tmpdir(), `arena-inspect-test-npm-${process.getuid?.() ?? 0}`)

/** The folder of the npm that belongs to this node; null when it is elsewhere. */
export function npmFolder(): string | null {
  const folder = resolve(dirname(process.execPath), '../lib/node_modules/npm')
  return existsSync(folder) ? folder : null
}

/** With the network settings of the environment, and no other. */
export function npm(args: readonly string[], cwd: string): SpawnSyncReturns<string> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) =>
      /^(npm_config_registry$|https?_proxy$|no_proxy$|node_extra)/i.test(name),
    ),
  )
  return runAsUser(['npm', ...args], { cwd, env })
}

export interface PackedFile {
  readonly path: string
  readonly size: number
}

/** Packs what is built in dist/ (without building it again under the tests that use it) into `folder`. */
export function pack(folder: string): { readonly file: string; readonly files: readonly PackedFile[] } {
  const { status, stdout, stderr } = npm(
    ['pack', ROOT, '--json', '--ignore-scripts', '--pack-destination', folder],
    folder,
  )
  if (status !== 0) throw new Error(stderr)
  const [packed] = JSON.parse(stdout) as { filename: string; files: PackedFile[] }[]
  return { file: join(folder, packed!.filename), files: packed!.files }
}

/** Why npm had nothing to install from; null when it failed for another reason. */
export function unreachable(stderr: string): string | null {
  const code =
    /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED|E50\d)\b/.exec(stderr)
  return code ? `npm's registry does not answer (${code[0]})` : null
}
