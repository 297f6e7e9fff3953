// What is asked before a live process is changed, and what came of it.

/** What trim and limit will do, told before it is agreed to. */
export interface Prepared {
  /** Printable lines: what is predicted, and what will be run inside the process. */
  readonly lines: readonly string[]
  readonly question: string
  /** Does it; printable lines of what came of it. */
  run(): Promise<readonly string[]>
}

export type Wish = { readonly what: 'trim' } | { readonly what: 'limit'; readonly arenaMax: number }

export interface Dialog {
  readonly wish: Wish
  readonly phase: 'preparing' | 'asking' | 'running' | 'done' | 'failed'
  readonly lines: readonly string[]
  readonly prepared: Prepared | null
  /** First line shown. */
  readonly top: number
}

/** What the wish is called. */
export function wishTitle(wish: Wish): string {
  return wish.what === 'trim'
    ? 'trim: hand free memory back now'
    : `limit: no more than ${wish.arenaMax} arenas`
}

/** A dialog at its start. */
export function openDialog(wish: Wish): Dialog {
  return { wish, phase: 'preparing', lines: [], prepared: null, top: 0 }
}
