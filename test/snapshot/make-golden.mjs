// Makes test/golden/snapshots/v1.arenas.gz and v1.txt: a small snapshot of each schema version stays here for good, and must open.
// usage, once for a new schema version: node test/snapshot/make-golden.mjs (the build must be there; gcc and gdb are needed)
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const cli = join(root, 'dist/cli.js')
const golden = join(root, 'test/golden/snapshots')
const folder = mkdtempSync(join(tmpdir(), 'golden-'))
// From stdin: nobody's own folders are in the snapshot.
const program = join(folder, 'stepper')
execFileSync('gcc', ['-g', '-O1', '-pthread', '-xc', '-', '-o', program], {
  cwd: folder,
  input: readFileSync(join(root, 'test/programs/stepper.c')),
})
const child = spawn('./stepper', ['40'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'], env: {} })
try {
  await once(child.stdout, 'data')
  for (let step = 0; step < 2; step++) {
    child.kill('SIGUSR1')
    await once(child.stdout, 'data')
  }
  execFileSync('gdb', ['-nx', '-batch', '-p', String(child.pid), '-ex', 'generate-core-file core.golden'], {
    cwd: folder,
    stdio: 'ignore',
  })
  const file = join(golden, 'v1.arenas.gz')
  execFileSync(process.execPath, [cli, 'snapshot', 'core.golden', '-o', file, '--force'], { cwd: folder })
  writeFileSync(join(golden, 'v1.txt'), execFileSync(process.execPath, [cli, 'report', file]))
  writeFileSync(
    join(golden, 'v1.chunks.txt'),
    execFileSync(process.execPath, [cli, 'chunks', file, '--sort', 'size', '--limit', '20']),
  )
} finally {
  child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
}
