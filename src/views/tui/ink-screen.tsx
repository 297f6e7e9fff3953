// Ink mounted on the compositor. Loaded by dynamic import, after NODE_ENV is set: React reads it when it is imported.
import { render } from 'ink'
import type { ReactElement } from 'react'
import type { Chrome } from './chrome.js'
import type { Compositor } from './compositor.js'
import { Frame, Opening, TooSmall } from './frame.js'
import type { LoadProgress } from './loading.js'
import type { Paint } from './paint.js'
import type { Size } from './tui-state.js'

/** Draws what stands around the panes into the compositor; every call is done when it returns. */
export class InkScreen {
  readonly #paint: Paint
  readonly #ink: ReturnType<typeof render>
  #shown = ''

  constructor(compositor: Compositor, stdin: NodeJS.ReadStream, paint: Paint) {
    this.#paint = paint
    this.#ink = render(null, {
      stdout: compositor as unknown as NodeJS.WriteStream,
      stdin,
      debug: true,
      patchConsole: false,
      exitOnCtrlC: false,
    })
  }

  showFrame(chrome: Chrome): void {
    this.#show(JSON.stringify(chrome), <Frame chrome={chrome} paint={this.#paint} />)
  }

  showOpening(size: Size, progress: LoadProgress): void {
    this.#show(
      JSON.stringify([size, progress]),
      <Opening size={size} progress={progress} paint={this.#paint} />,
    )
  }

  showTooSmall(size: Size): void {
    this.#show(JSON.stringify(size), <TooSmall size={size} />)
  }

  unmount(): void {
    this.#ink.unmount()
  }

  /** Ink lays out and renders in some milliseconds: only when what it shows has changed. */
  #show(key: string, element: ReactElement): void {
    if (key === this.#shown) return
    this.#shown = key
    this.#ink.rerender(element)
  }
}
