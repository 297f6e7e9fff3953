// `--explain RULE`: what a rule measures, how, from which thresholds on, and what to read further.
import { explanationParts } from '../../findings/rule.js'
import { RULES } from '../../findings/rules.js'
import { WATCH_RULES } from '../../watch/rules.js'
import { EXIT, type ExitCode, UsageError } from '../exit.js'
import { output } from '../finish.js'

const WIDTH = 100
const INDENT = 12

/** Prints the explanation of the rule; throws UsageError with the names of all rules for an unknown one. */
export function runExplain(name: string, file?: string): ExitCode {
  const rules = [...RULES, ...WATCH_RULES]
  const rule = rules.find((one) => one.name === name)
  if (!rule) {
    const names = rules.map((one) => one.name).join(', ')
    throw new UsageError(`no rule is called ${JSON.stringify(name)}`, `rules: ${names}`)
  }
  const parts = [
    rule.name,
    ...explanationParts(rule.explanation).map(([label, texts]) => labelled(label, texts)),
  ]
  output(`${parts.join('\n')}\n`, file)
  return EXIT.done
}

function labelled(label: string, entries: readonly string[]): string {
  const lines = entries.flatMap((entry) => wrap(entry, WIDTH - INDENT))
  return lines.map((line, i) => `  ${(i === 0 ? label : '').padEnd(INDENT - 2)}${line}`).join('\n')
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
