// Bundles the command and the library into dist/, packages left outside, and writes the types.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** Ink is hundreds of small modules: bundled with what it needs, it loads in a quarter of the time. */
const INSIDE = /^(ink|react)(\/|$)/
const packages = {
  name: 'packages',
  setup({ onResolve, onLoad }) {
    // React's developer tools, only for DEV=true.
    onLoad({ filter: /\/ink\/build\/devtools\.js$/ }, () => ({ contents: '' }))
    onResolve({ filter: /^[^./]/ }, ({ path, importer, kind }) =>
      kind === 'entry-point' || INSIDE.test(path) || importer.includes('/node_modules/')
        ? undefined
        : { path, external: true },
    )
  },
}

const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)
rmSync('dist', { recursive: true, force: true })
const { metafile } = await build({
  entryPoints: { cli: 'src/cli/main.ts', index: 'src/index.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  plugins: [packages],
  platform: 'node',
  format: 'esm',
  target: 'node20',
  jsx: 'automatic',
  define: { 'process.env.NODE_ENV': '"production"' },
  // For CommonJS packages inside.
  banner: {
    js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
  },
  logOverride: { 'assign-to-define': 'silent' },
  metafile: true,
  logLevel: 'warning',
})
writeLicenses(Object.keys(metafile.inputs))
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

/** `dist/LICENSES`: the texts that packages inside the bundle ask to be handed on. */
function writeLicenses(inputs) {
  const folders = new Set(inputs.map((input) => /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(input)?.[0]))
  folders.delete(undefined)
  const texts = [...folders].sort().map((folder) => {
    const { name, version, license, author, repository } = JSON.parse(
      readFileSync(`${folder}/package.json`, 'utf8'),
    )
    const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each))
    const text = file
      ? readFileSync(`${folder}/${file}`, 'utf8')
      : `Copyright ${author?.name ?? author}; its package holds no text: ${repository?.url ?? repository}\n`
    return `${name} ${version} (${license})\n\n${text}`
  })
  writeFileSync('dist/LICENSES', texts.join(`\n${'-'.repeat(72)}\n`))
}
