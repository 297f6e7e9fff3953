// Commands of gdb that run, end, leave or replace what it looks at: the console does not pass them on.

/** The shortest form that gdb takes, and what may follow of the whole word. `run` would start the program of a core. */
const RUNNING: readonly (readonly [least: string, rest: string])[] = [
  ['adv', 'ance'],
  ['at', 'tach'],
  ['c', 'ontinue'],
  ['core', '-file'],
  ['det', 'ach'],
  ['disconnect', ''],
  ['exec', '-file'],
  ['fg', ''],
  ['file', ''],
  ['fin', 'ish'],
  ['inferior', ''],
  ['add-inferior', ''],
  ['clone-inferior', ''],
  ['remove-inferiors', ''],
  ['interrupt', ''],
  ['j', 'ump'],
  ['k', 'ill'],
  ['load', ''],
  ['mo', 'nitor'],
  ['n', 'exti'],
  ['q', 'uit'],
  ['exit', ''],
  ['queue-signal', ''],
  ['rec', 'ord'],
  ['reverse-', 'continue'],
  ['reverse-', 'finish'],
  ['reverse-', 'nexti'],
  ['reverse-', 'stepi'],
  ['ni', ''],
  ['si', ''],
  ['rc', ''],
  ['rn', 'i'],
  ['rs', 'i'],
  ['r', 'un'],
  ['restart', ''],
  ['restore', ''],
  ['ret', 'urn'],
  ['sig', 'nal'],
  ['start', 'i'],
  ['s', 'tepi'],
  ['tar', 'get'],
  ['u', 'ntil'],
  ['checkpoint', ''],
  ['compile', ''],
  ['interpreter-exec', ''],
]

/** What only carries another command. */
const CARRIERS =
  /^(server|silent|(thread|frame)\s+apply\s+(all|[\d\s.*$-]+?)(\s+-[a-z]+(\s+\d+)?)*|t?faas|taas|with\s.*?\s--)\s+(?=[a-z!|])/

/** True where gdb would do more than look. */
export function runsTarget(command: string): boolean {
  let left = command.trim()
  for (let carrier = CARRIERS.exec(left); carrier; carrier = CARRIERS.exec(left))
    left = left.slice(carrier[0].length)
  const word = /^[a-z-]+/.exec(left)?.[0] ?? ''
  return RUNNING.some(([least, rest]) => word.startsWith(least) && `${least}${rest}`.startsWith(word))
}
