// Bundles the command and the library into dist/, packages left outside, and writes the types.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)
rmSync('dist', { recursive: true, force: true })
await build({
  entryPoints: { cli: 'src/cli/main.ts', index: 'src/index.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  jsx: 'automatic',
  logLevel: 'warning',
})
// What runs in a browser, inside HTML files: packages inside, one classic script each.
const browser = 'src/views/html/browser'
await build({
  entryPoints: readdirSync(browser)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${browser}/${name}`),
  outdir: 'dist/browser',
  bundle: true,
  minify: true,
  format: 'iife',
  target: 'es2020',
  charset: 'ascii',
  legalComments: 'inline',
  loader: { '.css': 'text' },
  logLevel: 'warning',
})
chmodSync('dist/cli.js', 0o755)
mkdirSync('dist/man')
writeFileSync('dist/man/arena-inspect.1', execFileSync(process.execPath, ['dist/cli.js', 'man']))
const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url))
execFileSync(process.execPath, [tsc, '-p', '.ci/tsconfig.types.json'], { stdio: 'inherit' })
