// The JSON of the gdb script's commands, checked and turned into our types.

import { type Address, address } from '../../memory/address.js'
import { MiError } from '../../mi/mi-error.js'
import type { Frame, StructLayout } from '../target.js'

/** `{name: "0x…"}`. */
export function toAddresses(json: unknown): Map<string, Address> {
  return new Map(entries(json).map(([name, at]) => [name, address(BigInt(text(at)))]))
}

/** `{tag: {size, offsets}}`. */
export function toLayouts(json: unknown): Map<string, StructLayout> {
  return new Map(
    entries(json).map(([tag, layout]) => {
      const { size, offsets } = Object.fromEntries(entries(layout))
      const pairs = entries(offsets).map(([member, at]): [string, number] => [member, number(at)])
      return [tag, { sizeBytes: number(size), offsets: new Map(pairs) }]
    }),
  )
}

/** `[[index, symbol], …]`. */
export function toIndexedNames(json: unknown): [number, string][] {
  return array(json).map((pair) => [number(array(pair)[0]), text(array(pair)[1])])
}

/** `{tid: [[pc, function | null, source | null], …]}`. */
export function toBacktraces(json: unknown): Map<number, readonly Frame[]> {
  return new Map(
    entries(json).map(([tid, frames]) => [
      Number(tid),
      array(frames).map((frame) => {
        const [pc, functionName, source] = array(frame)
        return {
          pc: address(BigInt(text(pc))),
          functionName: textOrNull(functionName),
          source: textOrNull(source),
        }
      }),
    ]),
  )
}

function entries(json: unknown): [string, unknown][] {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw unexpected(json)
  return Object.entries(json)
}

function array(json: unknown): readonly unknown[] {
  if (!Array.isArray(json)) throw unexpected(json)
  return json
}

function text(json: unknown): string {
  if (typeof json !== 'string') throw unexpected(json)
  return json
}

function textOrNull(json: unknown): string | null {
  return json === null || json === undefined ? null : text(json)
}

function number(json: unknown): number {
  if (typeof json !== 'number') throw unexpected(json)
  return json
}

function unexpected(json: unknown): MiError {
  const shown = JSON.stringify(json)?.slice(0, 100)
  return new MiError('protocol', '', `unexpected answer of arena_inspect_answers.py: ${shown}`)
}
