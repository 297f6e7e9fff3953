// The same answers from a gdb that has no Python: plain CLI commands, their text parsed.

import { type Address, address, hex } from '../../memory/address.js'
import { stackListFrames, threadInfo } from '../../mi/commands.js'
import type { GdbSession } from '../../mi/gdb-session.js'
import { unlessRefused } from '../../mi/unless-refused.js'
import type { Frame, StructLayout } from '../target.js'

const TYPES: Record<string, string> = { main_arena: 'struct malloc_state', mp_: 'struct malloc_par' }

/** Addresses of variables. Only right while the file that malloc comes from is the only one loaded. */
export async function plainAddresses(
  session: GdbSession,
  names: readonly string[],
): Promise<Map<string, Address>> {
  const found = new Map<string, Address>()
  for (const name of names) {
    const text = await unlessRefused(session.console(`output &${name}`))
    const match = /^\((.*) \*\) (0x[0-9a-f]+)/.exec(text ?? '')
    const wanted = TYPES[name]
    if (match && (wanted === undefined || match[1] === wanted)) found.set(name, address(BigInt(match[2]!)))
  }
  return found
}

/** Layouts of structs, by `ptype /o` (gdb 8.1). */
export async function plainLayouts(
  session: GdbSession,
  tags: readonly string[],
): Promise<Map<string, StructLayout>> {
  const found = new Map<string, StructLayout>()
  for (const tag of tags) {
    const text = await unlessRefused(session.console(`ptype /o struct ${tag}`))
    const layout = text === null ? null : parsePtype(text)
    if (layout) found.set(tag, layout)
  }
  return found
}

/** The output of `ptype /o`: members of the outermost struct only; null when it is none. */
export function parsePtype(text: string): StructLayout | null {
  const offsets = new Map<string, number>()
  let depth = 0
  let sizeBytes: number | null = null
  let open: number | null = null
  for (const line of text.split('\n')) {
    const at = /^\/\*\s*(\d+)(?::\s*\d+)?\s*[:|]/.exec(line)
    const code = line.replace(/\/\*.*?\*\//g, '')
    const total = /total size(?: \(bytes\))?:\s*(\d+)/.exec(line)
    if (total && depth === 1) sizeBytes = Number(total[1])
    if (depth === 1 && at && code.includes('{')) open = Number(at[1])
    if (code.includes('{')) depth++
    if (code.includes('}')) {
      depth--
      const name = /}\s*\**(\w+)/.exec(code)
      if (depth === 1 && name && open !== null) offsets.set(name[1]!, open)
      continue
    }
    const name = /(\w+)(?: : \d+)?\)?(?:\[\d*\])*(?:\([^)]*\))?;\s*$/.exec(code)
    if (depth === 1 && at && name) offsets.set(name[1]!, Number(at[1]))
  }
  return sizeBytes === null ? null : { sizeBytes, offsets }
}

/** `symbol+offset` of each address, or null; one round trip each. */
export async function plainNearest(
  session: GdbSession,
  addresses: readonly bigint[],
): Promise<readonly (string | null)[]> {
  const names: (string | null)[] = []
  for (const value of addresses) {
    const text = await session.console(`output/a ${hex(value)}`)
    const cut = text.indexOf(' <')
    names.push(cut < 0 ? null : text.slice(cut + 2, -1))
  }
  return names
}

/** Stacks by thread id, by MI. */
export async function plainBacktraces(
  session: GdbSession,
  depth: number,
): Promise<Map<number, readonly Frame[]>> {
  const stacks = new Map<number, readonly Frame[]>()
  for (const thread of await threadInfo(session)) {
    const tid = Number(/LWP (\d+)|process (\d+)/.exec(thread.targetId)?.slice(1).find(Boolean))
    if (!Number.isInteger(tid)) continue
    const frames = await unlessRefused(stackListFrames(session, thread.id, 0, depth - 1))
    stacks.set(
      tid,
      (frames ?? []).map(({ pc, functionName, file, line }) => ({
        pc: address(pc),
        functionName,
        source: file !== null && line !== null ? `${file}:${line}` : file,
      })),
    )
  }
  return stacks
}
