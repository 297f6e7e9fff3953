// What the Overview and the Findings pane say of a finding: its verdict, evidence and fixes, wrapped to the width.
import type { Evidence, Finding, Severity } from '../../../findings/finding.js'
import { printable } from '../../../format/printable.js'
import { bytesText, countText, percentText } from '../../../format/sizes.js'
import { cell, wrap } from '../columns.js'
import type { Paint } from '../paint.js'

const RANK: Readonly<Record<Severity, number>> = { critical: 0, warning: 1, info: 2 }
const LABEL_WIDTH = 9

/** Findings, worst first; the order of the rules within a severity. */
export function worstFirst(findings: readonly Finding[]): Finding[] {
  return [...findings].sort((a, b) => RANK[a.severity] - RANK[b.severity])
}

function evidenceText({ label, value, unit }: Evidence): string {
  const name = printable(label)
  if (typeof value === 'string') return `${name} ${printable(value)}`
  if (unit === 'bytes') return `${name} ${bytesText(value)}`
  if (unit === 'percent') return `${name} ${percentText(value)}`
  return `${name} ${countText(value)}`
}

/** `label  text` (printable), wrapped with the text's lines under each other. */
export function labelled(
  label: string,
  text: string,
  width: number,
  style: (text: string) => string,
): string[] {
  const indent = ' '.repeat(LABEL_WIDTH + 5)
  return wrap(text, width - indent.length).map((line, index) =>
    index === 0 ? `   ${style(cell(label, LABEL_WIDTH))}  ${line}` : indent + line,
  )
}

/** The verdict, its evidence, and the exact texts that put it right. */
export function findingRows(finding: Finding, width: number, paint: Paint): string[] {
  const tag = ` ${finding.severity.toUpperCase()} `
  const [first, ...more] = wrap(printable(finding.title), width - tag.length - 2)
  const evidence = finding.evidence.map(evidenceText).join(' · ')
  return [
    `${paint.severity[finding.severity](tag)} ${paint.title(first!)}`,
    ...more.map((line) => `${' '.repeat(tag.length + 1)}${paint.title(line)}`),
    ...(evidence === '' ? [] : labelled('evidence', evidence, width, paint.dim)),
    ...fixRows(finding, width, paint),
  ]
}

// The exact texts, best first; without them the next step in a sentence.
function fixRows({ fixes = [], nextStep }: Finding, width: number, paint: Paint): string[] {
  if (fixes.length === 0) return labelled('next step', printable(nextStep), width, paint.key)
  const firstFix = fixes.find(({ how }) => how !== 'command')
  return fixes.flatMap((fix) => {
    const label = fix.how === 'command' ? 'do now' : fix === firstFix ? 'fix' : 'or'
    const restart = fix.restart && fix.how !== 'mallopt' ? ' and restart' : ''
    const text = `${fix.text}${restart}${fix.note === null ? '' : ` · ${fix.note}`}`
    return labelled(label, printable(text), width, paint.key)
  })
}
