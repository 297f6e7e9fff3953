// Strings of a target as a page shows them: what cannot be seen, or acts on what is around it, is an escape instead.
import { printable } from '../../../format/printable.js'

/** `value` with every string in it, at any depth, made visible; keys are ours and stay. */
export function visible<T>(value: T): T {
  if (typeof value === 'string') return printable(value) as T
  if (Array.isArray(value)) return value.map(visible) as T
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, visible(inner)])) as T
}
