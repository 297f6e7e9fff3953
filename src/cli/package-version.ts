// The version of the installed package.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../target/gdb/package-root.js'

export function packageVersion(): string {
  const manifest = join(packageRoot() ?? '.', 'package.json')
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
}
