// Waits that end by what happened, not by the clock.

/** Until `check` is true; rejects after `ms` with `what`. */
export async function waitUntil(what: string, check: () => boolean, ms = 180_000): Promise<void> {
  const until = Date.now() + ms
  while (!check()) {
    if (Date.now() > until) throw new Error(`waited too long until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
