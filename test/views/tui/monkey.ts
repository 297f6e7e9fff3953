// What a monkey types: keys as a terminal sends them, commands half right, pastes, clicks, and rubbish.

const SEQUENCES = [
  ...['\x1b[A', '\x1b[B', '\x1b[C', '\x1b[D', '\x1b[5~', '\x1b[6~', '\x1b[H', '\x1b[F', '\x1bOA', '\x1b[Z'],
  ...[
    '\r',
    '\r',
    '\r',
    '\t',
    '\x7f',
    '\x1b',
    '\x1b',
    '\x1b[3~',
    '\x04',
    '\x15',
    '\x06',
    '\x02',
    '\x17',
    '\x0c',
  ],
  ...[
    '\x10',
    '\x0e',
    '\x1b[<64;9;9M',
    '\x1b[<65;9;9M',
    '\x1b[<0;3;5m',
    '\x1b[1;5C',
    '\x1b[200~',
    '\x1bOP',
    '\x1b[',
  ],
]
const TYPED = [
  ...[
    ':arena 3\r',
    ':arena main\r',
    ':arena 99\r',
    ':7f8f98000010\r',
    ':55d0c1a00060\r',
    ':x/40a 55d0c1a00060\r',
  ],
  ...[
    ':chunk 7f8fa0001000\r',
    ':find hello\r',
    ':find 0x7fb2401d2cc0\r',
    ':find de ad be ef\r',
    ':e\t\t',
    ':a\t\x1b[A',
  ],
  ...[
    ':every 1\r',
    ':every off\r',
    ':mouse off\r',
    ':mouse on\r',
    ':refresh\r',
    ':regions\r',
    ':map\r',
    ':41414141\r',
  ],
  ...[
    '/free min 4k\r',
    '/arena 7 live\r',
    '/hello\r',
    '/\x15\r',
    '/7f8f9\r',
    '/\u202e\u3042\r',
    ':\u001b[2Jx\r',
    'n',
    'N',
  ],
]
const RUBBISH = [
  '\ud83d\ude00',
  '\u3042\u3044',
  'e\u0301',
  '\u202e',
  '\ufffd',
  '\0',
  '\x9b2J',
  '\x1b]0;x\x07',
  '\ud800',
]

/** The next chunk of input; `without` holds the plain keys that are left out. */
export function nextInput(random: () => number, without: string, columns: number, rows: number): string {
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!
  const what = random()
  if (what < 0.5) {
    for (;;) {
      const key = String.fromCharCode(0x20 + Math.floor(random() * 95))
      if (!without.includes(key)) return key
    }
  }
  if (what < 0.75) return pick(SEQUENCES)
  if (what < 0.83) return pick(['jjjj', 'kkk', 'GG', '++', '---', 'ssf', 'llll', ']]', '12345678', 'cwx'])
  if (what < 0.91) return pick(TYPED)
  if (what < 0.94) return pick(RUBBISH)
  const x = 1 + Math.floor(random() * columns)
  const y = 1 + Math.floor(random() * rows)
  return `\x1b[<0;${x};${y}M`
}
