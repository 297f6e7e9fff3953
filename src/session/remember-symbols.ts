// gdb's answers that cannot change while a process runs, remembered: so that a second look needs no gdb.
import type { Symbols } from '../target/target.js'

/** Answers of `addressesOf` and `layoutsOf` are asked for once; all else goes through. */
export function rememberSymbols(symbols: Symbols): Symbols {
  const addressesOf = remember((names: readonly string[]) => symbols.addressesOf(names))
  const layoutsOf = remember((tags: readonly string[]) => symbols.layoutsOf(tags))
  return {
    addressesOf,
    layoutsOf,
    nearest: (addresses) => symbols.nearest(addresses),
    demangled: (names) => symbols.demangled(names),
    backtraces: (depth) => symbols.backtraces(depth),
    get warnings() {
      return symbols.warnings
    },
    close: () => symbols.close(),
  }
}

function remember<T>(
  ask: (names: readonly string[]) => Promise<T>,
): (names: readonly string[]) => Promise<T> {
  const answers = new Map<string, Promise<T>>()
  return (names) => {
    const key = names.join(' ')
    const answer = answers.get(key) ?? ask(names)
    answers.set(key, answer)
    return answer
  }
}
