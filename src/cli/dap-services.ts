// What the debug adapter asks to be done outside of it: targets opened, console lines run.

import { type Debuggee, debuggeeOf } from '../session/debuggee.js'
import { openDebuggee } from '../session/open-debuggee.js'
import { openAny } from '../snapshot/open-any.js'
import type { TargetChoice } from '../target/open.js'
import type { DapServices, OpenArguments, Work } from '../views/dap/services.js'
import { completeLine, runLine } from './console/console.js'
import { packageVersion } from './package-version.js'

/** `gdbPath`: where a client names no other. */
export function dapServices(gdbPath: string): DapServices {
  return {
    version: packageVersion(),
    open: (wanted, work) => open(wanted, wanted.gdbPath ?? gdbPath, work),
    run: runLine,
    complete: completeLine,
  }
}

async function open(wanted: OpenArguments, gdbPath: string, work: Work): Promise<Debuggee> {
  if (wanted.report !== null) return openReport(wanted.report)
  const { stop } = wanted
  const progress = async (done: number, known: number) => {
    work.tell(`${done} of ${known} arenas`, known === 0 ? null : (100 * done) / known)
    await work.breathe()
  }
  const unpackProgress = (done: number, total: number) => {
    work.signal.throwIfAborted()
    work.tell('unpacking', total === 0 ? null : (100 * done) / total)
  }
  const options = { gdbPath, stop, gdbOnlyInDoubt: true, progress, unpackProgress }
  return openDebuggee(choiceOf(wanted), options, work.signal)
}

function choiceOf({ core, pid, program, sysroot }: OpenArguments): TargetChoice {
  if (pid !== null) return { kind: 'live', pid }
  return {
    kind: 'core',
    path: core ?? '',
    ...(program === null ? {} : { program }),
    ...(sysroot === null ? {} : { sysroot }),
  }
}

async function openReport(path: string): Promise<Debuggee> {
  return debuggeeOf(
    await openAny({ kind: 'snapshot', path }),
    'a snapshot holds no registers and no memory of stacks',
  )
}
