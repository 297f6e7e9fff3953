// A folder for files that exist only so that gdb can open them.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { atExit } from '../at-exit.js'

/** Made empty and private; removed by remove(), at the latest when this process exits. */
export class ScratchFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'arena-inspect-gdb-'))
  readonly #forget = atExit(() => this.#clear())

  remove(): void {
    this.#forget()
    this.#clear()
  }

  #clear(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}
