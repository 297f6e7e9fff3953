// Makes dist/arena-inspect-linux-ARCH, or the file named by an argument: the command, its packages, its files and the node that runs this, in one file.
// node .ci/build.mjs comes first. It takes an official build of Node: distributions' own may be split into libraries.
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'
const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)

// A single executable's main is CommonJS, which has no top-level await: yoga-layout (loaded by src/cli/single-file.ts
// before ink) and two places of ink's reconciler have some.
const withoutTopLevelAwait = {
  name: 'without-top-level-await',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^yoga-layout$/ }, () => ({ path: 'yoga-layout', namespace: 'preloaded' }))
    onLoad({ filter: /.*/, namespace: 'preloaded' }, () => ({
      contents: "export * from 'yoga-layout/load'\nexport default globalThis.arenaInspectYoga",
      resolveDir: root,
    }))
    // React's developer tools, only for DEV=true.
    onResolve({ filter: /^\.\/devtools\.js$/ }, () => ({ path: 'devtools', namespace: 'empty' }))
    onLoad({ filter: /.*/, namespace: 'empty' }, () => ({ contents: '' }))
    onLoad({ filter: /\/ink\/build\/reconciler\.js$/ }, ({ path }) => {
      // Were there another, the build would fail: esbuild knows that CommonJS has none.
      const without = readFileSync(path, 'utf8')
        .replace("await import('./devtools.js')", 'void 0')
        .replace('? await loadPackageJson()', '? {}')
      return { contents: without }
    })
  },
}

const scratch = mkdtempSync(join(tmpdir(), 'arena-inspect-binary-'))
try {
  const main = join(scratch, 'main.cjs')
  await build({
    entryPoints: ['src/cli/single-file.ts'],
    outfile: main,
    bundle: true,
    minifySyntax: true,
    minifyWhitespace: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"' },
    // packageRoot() is replaced by what is inside.
    logOverride: { 'empty-import-meta': 'silent', 'assign-to-define': 'silent' },
    plugins: [withoutTopLevelAwait],
    logLevel: 'warning',
  })
  const blob = join(scratch, 'blob')
  const names = ['gdb-scripts', 'dist/browser', 'examples/programs'].flatMap((folder) =>
    readdirSync(folder).map((name) => `${folder}/${name}`),
  )
  const config = {
    main,
    output: blob,
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    assets: Object.fromEntries(['package.json', 'LICENSE', ...names].map((name) => [name, join(root, name)])),
  }
  const configFile = join(scratch, 'config.json')
  writeFileSync(configFile, JSON.stringify(config))
  const made = spawnSync(process.execPath, ['--experimental-sea-config', configFile], { encoding: 'utf8' })
  if (made.status !== 0) throw new Error(`no blob was made: ${made.stderr}`)

  const file = process.argv[2] ?? `dist/arena-inspect-linux-${process.arch}`
  const draft = `${file}.draft`
  copyFileSync(process.execPath, draft)
  if (!readFileSync(draft).includes(FUSE))
    throw new Error(`${process.execPath} cannot become a single executable; use an official build of Node`)
  // It warns of each of Node's notes, which are as they were.
  console.warn = () => {}
  const { inject } = await import('postject')
  await inject(draft, 'NODE_SEA_BLOB', readFileSync(blob), { sentinelFuse: FUSE })
  chmodSync(draft, 0o755)
  renameSync(draft, file)
  console.log(file)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
