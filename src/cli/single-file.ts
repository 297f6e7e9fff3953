// The command as one executable file (npm run build:binary): the files of the package are inside of it.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import sea from 'node:sea'
import { loadYoga } from 'yoga-layout/load'
import { isNodeError } from '../target/elf/node-error.js'
import { provideOwnFiles } from '../target/gdb/own-files.js'
import { provideSelfCommand } from './self-command.js'

/** Where .ci/single-file.mjs makes ink look for its layout engine, which it would load by a top-level await. */
declare global {
  var arenaInspectYoga: Awaited<ReturnType<typeof loadYoga>> | undefined
}

let folder: string | null = null

function text(name: string): string | null {
  try {
    return sea.getAsset(name, 'utf8')
  } catch (error) {
    if (isNodeError(error) && error.code.startsWith('ERR_SINGLE_EXECUTABLE_APPLICATION_')) return null
    throw error
  }
}

/** Written for gdb into a folder that only this user can read, gone when this process is. */
function path(name: string): string | null {
  const content = text(name)
  if (content === null) return null
  folder ??= privateFolder()
  if (folder === null) return null
  const file = join(folder, name)
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  writeFileSync(file, content, { mode: 0o600 })
  return file
}

// Of a container whose root is read-only /dev/shm can mostly be written.
function privateFolder(): string | null {
  for (const where of [tmpdir(), '/dev/shm']) {
    try {
      const made = mkdtempSync(join(where, 'arena-inspect-files-'))
      process.once('exit', () => rmSync(made, { recursive: true, force: true }))
      return made
    } catch (error) {
      if (!isNodeError(error)) throw error
    }
  }
  return null
}

async function start(): Promise<void> {
  if (process.stdout.isTTY) globalThis.arenaInspectYoga = await loadYoga()
  await import('./main.js')
}

provideOwnFiles({ text, path })
provideSelfCommand([process.execPath, []])
void start()
