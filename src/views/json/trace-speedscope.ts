// A trace in speedscope's file format: mapped bytes, what is still mapped, and what malloc reserved, by stack.
// The format: https://www.speedscope.app/file-format-schema.json
import { type FrameText, lossText, stackText } from '../../trace/stack-text.js'
import type { Trace, TraceGroup } from '../../trace/trace.js'

interface SpeedscopeFrame {
  readonly name: string
  readonly file?: string
  readonly line?: number
}

/** The file's text. Losses are in the names, which speedscope shows at the top. */
export function renderTraceSpeedscope(trace: Trace): string {
  const frames: SpeedscopeFrame[] = []
  const numbers = new Map<string, number>()
  const numberOf = (frame: FrameText) => {
    const key = `${frame.name}\0${frame.source}\0${frame.module}`
    const known = numbers.get(key)
    if (known !== undefined) return known
    numbers.set(key, frames.length)
    frames.push(frameOf(frame))
    return frames.length - 1
  }
  const loss = lossText(trace)
  const suffix = loss === null ? '' : ` (${loss})`
  const profile = (name: string, kind: TraceGroup['kind'], bytesOf: (group: TraceGroup) => number) => {
    const groups = trace.groups.filter((group) => group.kind === kind && bytesOf(group) > 0)
    const weights = groups.map(bytesOf)
    return {
      type: 'sampled',
      name: `${name}${suffix}`,
      unit: 'bytes',
      startValue: 0,
      endValue: weights.reduce((sum, bytes) => sum + bytes, 0),
      samples: groups.map((group) => stackText(trace, group).map(numberOf).reverse()),
      weights,
    }
  }
  const profiles = [
    profile('mapped', 'map', ({ bytes }) => bytes),
    profile('still mapped at the end', 'map', ({ stillMappedBytes }) => stillMappedBytes),
    profile('reserved for malloc heaps', 'birth', ({ bytes }) => bytes),
  ]
  const document = {
    $schema: 'https://www.speedscope.app/file-format-schema.json',
    exporter: `arena-inspect@${trace.tool.version}`,
    name: `memory mapped by process ${trace.target.pid}${suffix}`,
    activeProfileIndex: 0,
    shared: { frames },
    profiles,
  }
  return `${JSON.stringify(document)}\n`
}

function frameOf({ name, source, module }: FrameText): SpeedscopeFrame {
  const at = source === null ? null : /^(.*):(\d+)$/.exec(source)
  if (at) return { name, file: at[1]!, line: Number(at[2]) }
  return module === null ? { name } : { name, file: module }
}
