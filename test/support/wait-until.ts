// Waits that end by what happened, not by the clock.

/** How long anything is waited for, far above what a busy machine takes. */
export const DEADLINE_MS = 180_000

/** Until `check` is true; rejects after DEADLINE_MS with `what`. */
export async function waitUntil(what: string, check: () => boolean): Promise<void> {
  const until = Date.now() + DEADLINE_MS
  while (!check()) {
    if (Date.now() > until) throw new Error(`waited too long until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
