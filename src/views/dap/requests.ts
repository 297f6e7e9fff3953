// Every request that is answered, and by what. `cancel` is the adapter's own.
import type { RequestHandler } from './conversation.js'
import { completions, evaluate } from './requests/evaluate.js'
import { configurationDone, disconnect, initialize, open, terminate } from './requests/lifecycle.js'
import { disassemble, readMemory } from './requests/memory.js'
import { loadedSources, modules, source } from './requests/modules.js'
import { doesNotRun, noBreakpoints, nothing } from './requests/not-running.js'
import { exceptionInfo, stackTrace, threads } from './requests/threads.js'
import { scopes, variables } from './requests/variables.js'

export const REQUESTS: ReadonlyMap<string, RequestHandler> = new Map<string, RequestHandler>([
  ['initialize', initialize],
  ['launch', open],
  ['attach', open],
  ['configurationDone', configurationDone],
  ['disconnect', disconnect],
  ['terminate', terminate],
  ['threads', threads],
  ['stackTrace', stackTrace],
  ['exceptionInfo', exceptionInfo],
  ['scopes', scopes],
  ['variables', variables],
  ['readMemory', readMemory],
  ['disassemble', disassemble],
  ['modules', modules],
  ['loadedSources', loadedSources],
  ['source', source],
  ['evaluate', evaluate],
  ['completions', completions],
  ['setBreakpoints', noBreakpoints],
  ['setFunctionBreakpoints', noBreakpoints],
  ['setExceptionBreakpoints', nothing],
  ['continue', doesNotRun],
  ['next', doesNotRun],
  ['stepIn', doesNotRun],
  ['stepOut', doesNotRun],
  ['pause', doesNotRun],
])
