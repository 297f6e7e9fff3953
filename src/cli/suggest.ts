// What a misspelt name was probably meant to be.
import { closest, distance } from 'fastest-levenshtein'

/** `did you mean "x"? `, for a hint; empty where nothing is near. */
export function didYouMean(text: string, names: readonly string[]): string {
  const near = closest(text.toLowerCase(), names.slice())
  const isNear =
    names.length > 0 && distance(text.toLowerCase(), near.toLowerCase()) <= Math.max(2, near.length / 3)
  return isNear ? `did you mean ${near}? ` : ''
}
