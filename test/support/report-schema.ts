// src/report/report-schema.json: the published schema of the report, made strict where text is printed as it is, and open
// where the contract says that lists are.

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
type Node = { readonly [key: string]: Json }

const ADDRESSES = new Set(['address', 'at'])
/** Words of ours, which views print without making them safe. */
const WORDS = new Set(['rule', 'code', 'version'])
const OPEN_LISTS = new Set(['Category', 'LedgerLine'])

const ADDRESS: Node = { type: 'string', pattern: '^0x[0-9a-f]{1,16}$' }
const WORD = '^[ -~]{0,200}$'

/** `published` as the loader checks it. */
export function loaderSchema(published: Node): Node {
  const { definitions, ...rest } = strict(published) as { definitions: { [name: string]: Json } }
  const opened = Object.entries(definitions).map(([name, definition]) =>
    OPEN_LISTS.has(name) ? [name, { type: 'string', pattern: WORD }] : [name, definition],
  )
  return { ...rest, definitions: Object.fromEntries(opened) }
}

function strict(node: Json): Json {
  if (Array.isArray(node)) return node.map(strict)
  if (typeof node !== 'object' || node === null) return node
  const { description: _, ...rest } = node as Node
  const entries = Object.entries(rest).map(([key, value]) =>
    key === 'properties' ? [key, properties(value as Node)] : [key, strict(value)],
  )
  return Object.fromEntries(entries)
}

function properties(node: Node): Node {
  return Object.fromEntries(
    Object.entries(node).map(([name, value]) => {
      if (ADDRESSES.has(name)) return [name, ADDRESS]
      const shape = strict(value) as Node
      return [name, WORDS.has(name) ? { ...shape, pattern: WORD } : shape]
    }),
  )
}
