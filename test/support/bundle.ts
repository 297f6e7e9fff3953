// One TypeScript file and what it imports of ours as .mjs files that plain node runs; npm packages stay outside.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { build } from 'esbuild'
import { ROOT } from './programs.js'

/**
 * Path of the bundle of `entry` (a path from the root), inside node_modules/.cache so that packages resolve; removed
 * when the process ends. Split at dynamic imports, as the package is: what is imported late is loaded late.
 */
export async function bundle(entry: string): Promise<string> {
  const cache = join(ROOT, 'node_modules/.cache')
  mkdirSync(cache, { recursive: true })
  const outdir = mkdtempSync(join(cache, 'arena-inspect-test-'))
  process.once('exit', () => rmSync(outdir, { recursive: true, force: true }))
  await build({
    entryPoints: [join(ROOT, entry)],
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    jsx: 'automatic',
    logLevel: 'silent',
  })
  return join(outdir, basename(entry).replace(/\.tsx?$/, '.mjs'))
}
