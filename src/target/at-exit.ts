// What a target leaves behind is removed even when this process exits in the middle.

const acts = new Set<() => void>()

/** Runs `act` when this process exits; what is returned takes that back. One listener, however many targets are open. */
export function atExit(act: () => void): () => void {
  if (acts.size === 0) process.on('exit', actAll)
  acts.add(act)
  return () => {
    if (acts.delete(act) && acts.size === 0) process.off('exit', actAll)
  }
}

function actAll(): void {
  for (const act of acts) act()
}
