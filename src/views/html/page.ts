// One self-contained HTML file: escaped, light and dark, no network, and a policy that keeps it so.
import { createHash } from 'node:crypto'
import { STYLE } from './style.js'

export interface PageParts {
  readonly title: string
  /** HTML whose strings went through `html` or `escapeHtml`. */
  readonly body: Html
  /** What the script draws: JSON, found by the id `data`. Absent: none. */
  readonly data?: unknown
  /** Text of a bundled browser script (`dist/browser/NAME.js`). Absent: the page has none. */
  readonly script?: string
  /** CSS after the common style. */
  readonly style?: string
}

/** Text that is HTML already; made by `html`, so that what came from a target cannot pass for it. */
export class Html {
  constructor(readonly text: string) {}
}

/** Template tag: what is put in is escaped, unless it is Html, or an array, of which each member is. */
export function html(strings: TemplateStringsArray, ...values: readonly unknown[]): Html {
  let text = strings[0]!
  values.forEach((value, index) => {
    text += fragment(value) + strings[index + 1]!
  })
  return new Html(text)
}

function fragment(value: unknown): string {
  if (value instanceof Html) return value.text
  if (Array.isArray(value)) return value.map(fragment).join('')
  if (value === null || value === undefined || value === false) return ''
  return escapeHtml(String(value))
}

/** For text and for quoted attributes; control characters, which HTML does not allow, are shown as `\xNN`. */
export function escapeHtml(text: string): string {
  return text
    .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
    .replace(CONTROLS, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

// C0 but tab and newline, DEL and C1, and the marks that turn the direction of text.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROLS = /[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** The whole file. Its policy allows exactly its own script and styles: nothing else runs, nothing is fetched. */
export function htmlPage({ title, body, data, script, style }: PageParts): string {
  const css = style === undefined ? STYLE : `${STYLE}\n${style}`
  // An inline script ends at the first `</script`, a comment in it at `<!--`, also inside of strings.
  const code = script?.replace(/<\/(script)/gi, '<\\/$1').replace(/<!--/g, '<\\!--')
  const policy = [
    "default-src 'none'",
    `style-src '${digest(css)}'`,
    code === undefined ? null : `script-src '${digest(code)}'`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ]
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy.filter((part) => part !== null).join('; ')}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${css}</style>
</head>
<body>
${body.text}
${data === undefined ? '' : `<script type="application/json" id="data">${embedded(data)}</script>\n`}${
  code === undefined ? '' : `<script>${code}</script>\n`
}</body>
</html>
`
}

// JSON inside of a script element: `<` could end it.
function embedded(data: unknown): string {
  return JSON.stringify(data).replace(/</g, '\\u003c')
}

function digest(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}
