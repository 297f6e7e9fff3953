// What clients ask of any debugger, and what does not exist for a target that is only looked at.
import type { RequestHandler } from '../conversation.js'
import { DapError } from '../errors.js'

/** Clients send breakpoints unasked: each is answered, as one that cannot be set. */
export const noBreakpoints: RequestHandler = (_conversation, args) => ({
  breakpoints: args.list('breakpoints').map(() => ({
    verified: false,
    message: 'arena-inspect only looks: breakpoints never stop anything here',
  })),
})

export const nothing: RequestHandler = () => ({ breakpoints: [] })

export const doesNotRun: RequestHandler = async (conversation, args) => {
  await conversation.debuggee()
  throw new DapError('doesNotRun', { command: args.command, label: conversation.label })
}
