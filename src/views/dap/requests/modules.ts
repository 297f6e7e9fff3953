// modules, loadedSources, source.
import { readFileSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import type { DebugProtocol } from '@vscode/debugprotocol'
import { printable } from '../../../format/printable.js'
import { hex } from '../../../memory/address.js'
import type { Module, SourceFile } from '../../../session/debuggee.js'
import type { RequestHandler } from '../conversation.js'
import { DapError } from '../errors.js'

const MOST_SOURCE_BYTES = 8 << 20

export const modules: RequestHandler = async (conversation, args) => {
  const all = (await conversation.debuggee()).modules()
  const from = args.whole('startModule') ?? 0
  const count = args.whole('moduleCount') || all.length
  return { modules: all.slice(from, from + count).map(toModule), totalModules: all.length }
}

function toModule({ path, base, buildId, file, fileProblem }: Module): DebugProtocol.Module {
  return {
    id: `${path}@${hex(base)}`,
    name: printable(basename(path)),
    path,
    addressRange: hex(base),
    symbolStatus:
      file === null ? `no symbols: ${printable(fileProblem ?? 'its file is not here')}` : 'file found',
    ...(buildId === null ? {} : { version: `build-id ${buildId}` }),
    ...(file === null ? {} : { symbolFilePath: file }),
  }
}

export const loadedSources: RequestHandler = async (conversation) => {
  const { code } = await conversation.debuggee()
  return { sources: (await code?.sources())?.map(toSource) ?? [] }
}

/** What an editor opens where no frame has a source: the report as text. */
export const REPORT_SOURCE: DebugProtocol.Source = { name: 'arena-inspect report', sourceReference: 1 }

/** A file that is not on this machine is named, and not to be opened. */
export function toSource({ path, isHere }: SourceFile): DebugProtocol.Source {
  return {
    name: printable(basename(path)),
    path,
    ...(isHere ? {} : { presentationHint: 'deemphasize', origin: 'not on this machine' }),
  }
}

/** The report, or one of the files that debug information names: this is no way to read others. */
export const source: RequestHandler = async (conversation, args, work) => {
  const debuggee = await conversation.debuggee()
  const wanted = args.inside('source')
  const reference = wanted.whole('sourceReference') ?? args.whole('sourceReference') ?? 0
  if (reference === REPORT_SOURCE.sourceReference) {
    const content = (await conversation.services.run(debuggee, 'report', work)) ?? ''
    return { content, mimeType: 'text/plain' }
  }
  const path = wanted.text('path') ?? ''
  const known = (await debuggee.code?.sources())?.find((file) => file.isHere && file.path === path)
  const content = known ? read(path) : null
  if (content === null) throw new DapError('noSuchSource', { path: JSON.stringify(path) })
  return { content, mimeType: 'text/plain' }
}

function read(path: string): string | null {
  try {
    const stats = statSync(path)
    if (!stats.isFile() || stats.size > MOST_SOURCE_BYTES) return null
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
