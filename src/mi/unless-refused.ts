// A question that gdb may refuse.
import { MiError } from './mi-error.js'

/** The answer; null where gdb said ^error. Everything else rejects. */
export async function unlessRefused<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof MiError && error.kind === 'refused') return null
    throw error
  }
}
