// All that can happen to the TUI's state: keys, the terminal, and answers that were waited for.
import type { Address } from '../../memory/address.js'
import type { HeapPages } from '../../report/heap-pages.js'
import type { ChunkView } from './chunks/chunk-view.js'
import type { Dialog } from './dialog.js'
import type { Key } from './keys.js'
import type { LiveState, Size } from './tui-state.js'

export type Action =
  /** A question ended without an answer: others may be asked. */
  | { readonly type: 'nothing' }
  | { readonly type: 'key'; readonly key: Key }
  | { readonly type: 'resize'; readonly size: Size }
  /** An error comes with null for every value that was asked for, so that they are not asked for again. */
  | {
      readonly type: 'symbols'
      readonly found: ReadonlyMap<bigint, string | null>
      readonly error: string | null
    }
  | {
      readonly type: 'stacks'
      readonly stacks: ReadonlyMap<number, readonly string[]>
      readonly error: string | null
    }
  | { readonly type: 'refreshed'; readonly error: string | null }
  /** Of a live target, about once a second. */
  | { readonly type: 'tick'; readonly live: LiveState }
  /** The heaps are being read; null text of progress ends it. */
  | { readonly type: 'loading'; readonly loading: { readonly text: string; readonly fraction: number } }
  | { readonly type: 'opened' }
  /** Chunks listed so far; `isDone` when there are no more. */
  | { readonly type: 'chunks'; readonly view: ChunkView; readonly isDone: boolean }
  | { readonly type: 'chunks-failed'; readonly error: string }
  | { readonly type: 'heap-pages'; readonly pages: HeapPages; readonly isDone: boolean }
  | { readonly type: 'searching'; readonly serial: number; readonly fraction: number }
  | {
      readonly type: 'found'
      readonly serial: number
      readonly at: Address | null
      readonly error: string | null
    }
  | { readonly type: 'dialog'; readonly dialog: Dialog | null }
  | { readonly type: 'exported'; readonly text: string; readonly error: string | null }
