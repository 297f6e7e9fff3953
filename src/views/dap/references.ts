// The numbers that stand for frames and for what can be opened, until the conversation ends.
import type { FramePlace } from '../../session/debuggee.js'
import { DapError } from './errors.js'
import type { VariableNode } from './variables/variable-node.js'

/** Numbers of nodes by a key of theirs, so that asking twice makes no second number. */
export class References {
  readonly #numbers = new Map<string, number>()
  readonly #nodes = new Map<number, { readonly key: string; readonly node: VariableNode }>()

  numberOf(key: string, node: VariableNode): number {
    const number = this.#numbers.get(key) ?? this.#numbers.size + 1
    this.#numbers.set(key, number)
    this.#nodes.set(number, { key, node })
    return number
  }

  /** Throws DapError `noSuchVariables`. */
  nodeOf(number: number): { readonly key: string; readonly node: VariableNode } {
    const found = this.#nodes.get(number)
    if (!found) throw new DapError('noSuchVariables', { id: String(number) })
    return found
  }
}

export class FrameNumbers {
  readonly #numbers = new Map<string, number>()
  readonly #places: FramePlace[] = []

  numberOf(place: FramePlace): number {
    const key = `${place.tid}:${place.level}`
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    this.#places.push(place)
    this.#numbers.set(key, this.#places.length)
    return this.#places.length
  }

  /** Throws DapError `noSuchFrame`. */
  placeOf(number: number): FramePlace {
    const place = this.#places[number - 1]
    if (!place) throw new DapError('noSuchFrame', { id: String(number) })
    return place
  }
}
