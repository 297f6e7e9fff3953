// What tmux captures with its colours (SGR sequences) → an HTML page that looks like a dark terminal.

const COLOURS = ['#1b1d23', '#e06c75', '#7fbf6a', '#d9a94a', '#61afef', '#c678dd', '#56b6c2', '#c8ccd4']
const BRIGHT = ['#6b7280', '#ff8a92', '#a5e38f', '#f2cb70', '#8cc8ff', '#e09cf3', '#7fdce6', '#ffffff']
const STYLE = `body{margin:0;background:#1b1d23}
pre{display:inline-block;margin:0;padding:12px 14px;background:#1b1d23;color:#c8ccd4;font:14px/17px 'DejaVu Sans Mono',monospace}`

const SGR = new RegExp(`(${String.fromCharCode(27)}\\[[0-9;]*m)`)
const CODES = new RegExp(`^${String.fromCharCode(27)}\\[([0-9;]*)m$`)

/** A whole page; the screen is its only `pre`. */
export function htmlOfAnsi(ansi) {
  let style = {}
  let html = ''
  for (const part of ansi.trimEnd().split(SGR)) {
    const codes = CODES.exec(part)
    if (codes) style = styled(style, codes[1].split(';').map(Number))
    else if (part !== '') html += `<span style="${cssOf(style)}">${escaped(part)}</span>`
  }
  return `<!doctype html><meta charset="utf-8"><style>${STYLE}</style><pre>${html}</pre>`
}

function styled(before, codes) {
  let style = before
  for (const code of codes) {
    if (code === 0) style = {}
    else if (code === 1) style = { ...style, bold: true }
    else if (code === 2) style = { ...style, dim: true }
    else if (code === 4) style = { ...style, underline: true }
    else if (code === 7) style = { ...style, inverse: true }
    else if (code === 22) style = { ...style, bold: false, dim: false }
    else if (code === 24) style = { ...style, underline: false }
    else if (code === 27) style = { ...style, inverse: false }
    else if (code >= 30 && code <= 37) style = { ...style, front: COLOURS[code - 30] }
    else if (code === 39) style = { ...style, front: undefined }
    else if (code >= 40 && code <= 47) style = { ...style, back: COLOURS[code - 40] }
    else if (code === 49) style = { ...style, back: undefined }
    else if (code >= 90 && code <= 97) style = { ...style, front: BRIGHT[code - 90] }
    else if (code >= 100 && code <= 107) style = { ...style, back: BRIGHT[code - 100] }
  }
  return style
}

function cssOf({ bold, dim, underline, inverse, front = '#c8ccd4', back = '#1b1d23' }) {
  const [color, background] = inverse ? [back, front] : [front, back]
  return [
    `color:${color}`,
    ...(background === '#1b1d23' ? [] : [`background:${background}`]),
    ...(bold ? ['font-weight:bold'] : []),
    ...(dim ? ['opacity:.65'] : []),
    ...(underline ? ['text-decoration:underline'] : []),
  ].join(';')
}

function escaped(text) {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}
