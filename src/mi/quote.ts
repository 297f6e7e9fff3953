// Quoting of text for gdb's two command parsers.

/** `text` as an MI c-string argument. Any text may be quoted; line ends become \n and \r inside the quotes. */
export function miQuote(text: string): string {
  const escaped = text.replace(/[\\"\n\r\t]/g, (character) => ESCAPED[character]!)
  return `"${escaped}"`
}

const ESCAPED: Record<string, string> = { '\\': '\\\\', '"': '\\"', '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** `path` as one argument of a CLI command that splits its line into words (file, symbol-file, add-symbol-file). */
export function cliQuote(path: string): string {
  return `"${path.replace(/[\\"]/g, (character) => `\\${character}`)}"`
}
