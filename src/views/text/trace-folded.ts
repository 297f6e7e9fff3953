// A trace as folded stacks, which flamegraph.pl, inferno and speedscope read: `outer;inner BYTES` a line.
import { lossText, stackText } from '../../trace/stack-text.js'
import type { Trace } from '../../trace/trace.js'

/** Bytes that each stack mapped, without what malloc only reserved. Losses are a line of their own, without bytes. */
export function renderTraceFolded(trace: Trace): string {
  const lines = trace.groups
    .filter(({ kind }) => kind === 'map')
    .map((group) => {
      const names = stackText(trace, group).map(({ name }) => name.replaceAll(';', ':'))
      return `${names.reverse().join(';')} ${group.bytes}\n`
    })
  const loss = lossText(trace)
  if (loss !== null) lines.push(`[${loss}] 0\n`)
  return lines.join('')
}
