// Bytes from the keyboard → names of keys. One chunk may hold many keys, or the half of one.

/** A printable character as it is, else a name such as `up`, `enter`, `ctrl-c`, `wheel-up`, `click 12 3` (column, row from 1). */
export type Key = string

const CONTROLS: Readonly<Record<string, Key>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\b': 'backspace',
  '\x7f': 'backspace',
}

/** Final letter of `ESC [ … X` and `ESC O X`. */
const LETTERS: Readonly<Record<string, Key>> = {
  A: 'up',
  B: 'down',
  C: 'right',
  D: 'left',
  F: 'end',
  H: 'home',
  Z: 'shift-tab',
}

/** Number of `ESC [ N ~`. */
const NUMBERS: Readonly<Record<string, Key>> = {
  '1': 'home',
  '3': 'delete',
  '4': 'end',
  '5': 'pageup',
  '6': 'pagedown',
  '7': 'home',
  '8': 'end',
}

const ESC = '\x1b'
const SEQUENCE = new RegExp(`^${ESC}(?:\\[([0-9;:?<]*)([@-~])|O([@-~]))`)
const HALF = new RegExp(`^${ESC}(?:\\[[0-9;:?<]*|O)?$`)

/** xterm's SGR mouse reports: button;column;row. Shift, Alt and Ctrl are the bits 4, 8 and 16 of the button. */
function mouseKey(parameters: string, final: string): Key | null {
  const [button = -1, column, row] = parameters.slice(1).split(';').map(Number)
  if (final !== 'M') return null
  const plain = button & ~28
  return plain === 64
    ? 'wheel-up'
    : plain === 65
      ? 'wheel-down'
      : plain === 0
        ? `click ${column} ${row}`
        : null
}

function sequenceKey(parameters: string, final: string): Key | null {
  if (parameters.startsWith('<')) return mouseKey(parameters, final)
  if (final === '~') return NUMBERS[parameters.split(';')[0]!] ?? null
  return LETTERS[final] ?? null
}

/** Splits what the terminal sends into keys; sequences it does not know are dropped, not typed. */
export class KeyDecoder {
  #rest = ''

  /** The keys that are complete with `chunk`. */
  push(chunk: string): Key[] {
    let text = this.#rest + chunk
    this.#rest = ''
    const keys: Key[] = []
    while (text !== '') {
      if (HALF.test(text)) {
        this.#rest = text
        break
      }
      const match = SEQUENCE.exec(text)
      if (match) {
        const key = match[3] === 'M' ? 'enter' : sequenceKey(match[1] ?? '', match[2] ?? match[3]!)
        if (key) keys.push(key)
        text = text.slice(match[0].length)
        continue
      }
      const character = String.fromCodePoint(text.codePointAt(0)!)
      text = text.slice(character.length)
      const key = plainKey(character)
      if (key) keys.push(key)
    }
    return keys
  }

  /** True while an ESC waits for what may follow it. */
  get pending(): boolean {
    return this.#rest !== ''
  }

  /** Nothing followed in time: the ESC was the key itself. */
  flush(): Key[] {
    const rest = this.#rest
    this.#rest = ''
    return rest === '' ? [] : ['escape', ...rest.slice(1)]
  }
}

function plainKey(character: string): Key | null {
  if (character === ESC) return 'escape'
  const named = CONTROLS[character]
  if (named) return named
  if (character < ' ') {
    const letter = String.fromCharCode(character.charCodeAt(0) + 0x60)
    return letter >= 'a' && letter <= 'z' ? `ctrl-${letter}` : null
  }
  return character
}
