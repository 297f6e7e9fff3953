// `--explain RULE`: what a rule measures, how, from which thresholds on, and what to read further.
import { explanationParts, thresholdLines } from '../../findings/rule.js'
import type { RuleSettings } from '../../findings/thresholds.js'
import { EXIT, type ExitCode } from '../exit.js'
import { output } from '../finish.js'
import { ruleNamed } from '../rule-settings.js'

const WIDTH = 100
const INDENT = 12

/** Prints the explanation of the rule; throws UsageError with the names of all rules for an unknown one. */
export function runExplain(name: string, file?: string, settings?: RuleSettings): ExitCode {
  const rule = ruleNamed(name, '--explain')
  const settable = thresholdLines(rule, settings)
  const parts = [
    rule.name,
    ...explanationParts(rule, settings).map(([label, texts]) => labelled(label, texts)),
    ...(settable.length > 0 ? [labelled('settable', settable)] : []),
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
