// A folder for files that exist only so that gdb can open them.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Made empty and private; removed by remove(), at the latest when this process exits. */
export class ScratchFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'arena-inspect-gdb-'))
  readonly #onExit = () => rmSync(this.path, { recursive: true, force: true })

  constructor() {
    process.on('exit', this.#onExit)
  }

  remove(): void {
    process.off('exit', this.#onExit)
    this.#onExit()
  }
}
