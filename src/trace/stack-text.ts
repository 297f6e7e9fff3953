// Stacks of a trace in words, for every view: functions where they are known, files and addresses where not.
import { printable } from '../format/printable.js'
import type { Trace, TraceFrame, TraceGroup } from './trace.js'

/** One line of a stack. */
export interface FrameText {
  /** The function, or `libc.so.6+0x1019b2`, or the bare address. */
  readonly name: string
  readonly source: string | null
  /** Path of the module; null: in no file. */
  readonly module: string | null
  readonly isInlined: boolean
}

export const CUT = '[outer frames are missing]'

/** Innermost first; what was inlined is on lines of its own. All texts are printable. */
export function stackText(trace: Trace, group: TraceGroup): readonly FrameText[] {
  if (group.stack === null) {
    const name = group.other ? '[other stacks, beyond those kept]' : '[no stack]'
    return [{ name, source: null, module: null, isInlined: false }]
  }
  const { frames, cut } = trace.stacks[group.stack]!
  const lines = frames.flatMap((index) => frameText(trace, trace.frames[index]!))
  return cut ? [...lines, { name: CUT, source: null, module: null, isInlined: false }] : lines
}

function frameText(trace: Trace, frame: TraceFrame): FrameText[] {
  const module = frame.module === null ? null : printable(trace.modules[frame.module]!.path)
  const file = module?.split('/').at(-1)
  const name = frame.function ?? (file === undefined ? frame.address : `${file}+${frame.address}`)
  const names = [...frame.inlined, name]
  return names.map((text, index) => ({
    name: printable(text),
    source: index === 0 && frame.source !== null ? printable(frame.source) : null,
    module,
    isInlined: index < names.length - 1,
  }))
}

/** A sentence when events were lost; null when none are known to be. */
export function lossText({ lostEvents }: Pick<Trace, 'lostEvents'>): string | null {
  if (lostEvents === 0) return null
  return `${lostEvents} events were lost: what was mapped is at least this, what is still mapped at most`
}
