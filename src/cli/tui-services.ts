// What the TUI asks to be done outside of it: reports written to files, live processes changed.
import { writeFileSync } from 'node:fs'
import { limit, readLimitState, refuseIfLatched } from '../control/limit.js'
import { Refusal } from '../control/refusal.js'
import { predictTrim, trim } from '../control/trim.js'
import { precheck, type VisitOptions } from '../control/visit.js'
import { bytesText, countText } from '../format/sizes.js'
import type { Report } from '../report/report.js'
import type { InspectedSession } from '../session/inspected-session.js'
import { NO_GLIBC } from '../session/measure.js'
import { TargetSession } from '../session/open-session.js'
import { renderJson } from '../views/json/render-json.js'
import { renderMarkdown } from '../views/text/render-markdown.js'
import { renderText } from '../views/text/render-text.js'
import type { Prepared, Wish } from '../views/tui/dialog.js'
import type { TuiServices } from '../views/tui/services.js'
import { howOf, limitText } from './commands/limit.js'
import { trimText } from './commands/trim.js'
import { visitLine } from './control-arguments.js'
import { reportHtml } from './report-html.js'

const RETRY_SECONDS = 10

const RENDER: Readonly<Record<string, (report: Report, session: InspectedSession) => string>> = {
  text: (report) => renderText(report, { color: false }),
  json: renderJson,
  markdown: renderMarkdown,
  html: (_, session) => reportHtml(session),
}

function write(report: Report, session: InspectedSession, format: string, file: string): string {
  const text = RENDER[format]!(report, session)
  try {
    writeFileSync(file, text, { flag: 'wx' })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    throw new Error(
      code === 'EEXIST' ? `${file} exists already: choose another name` : `cannot write ${file} (${code})`,
    )
  }
  return `wrote ${file}, ${bytesText(Buffer.byteLength(text))}`
}

/** The services of a TUI over `session`, which is there once the target was opened. */
export function tuiServices(session: () => InspectedSession | null, gdbPath: string): TuiServices {
  return {
    async exportReport(report, format, file) {
      const opened = session()
      if (!opened) throw new Error('the target is not read yet')
      return write(report, opened, format, file)
    },
    async prepare(wish) {
      try {
        return await prepare(session(), wish, gdbPath)
      } catch (error) {
        if (error instanceof Refusal) throw new Error(`${error.message}: ${error.hint}`)
        throw error
      }
    },
  }
}

const STANDS_STILL = 'The process stands still for some hundredths of a second meanwhile.'

async function prepare(session: InspectedSession | null, wish: Wish, gdbPath: string): Promise<Prepared> {
  const malloc = session instanceof TargetSession ? session.measurement.malloc : null
  if (!(session instanceof TargetSession) || !malloc) throw new Error(NO_GLIBC)
  const controlled = { target: session.target, malloc }
  await precheck(controlled, false)
  const visit: VisitOptions = { retrySeconds: RETRY_SECONDS, gdb: { gdbPath } }
  const told = async <T>(work: () => Promise<T>, lines: (outcome: T) => readonly string[]) => {
    try {
      return lines(await work())
    } catch (error) {
      if (error instanceof Refusal) throw new Error(`${error.message}: ${error.hint}`)
      throw error
    }
  }
  const { pid } = session.target
  if (wish.what === 'trim') {
    const predicted = predictTrim(malloc.model)
    const gives =
      predicted.totalBytes === null
        ? 'What it gives back cannot be predicted here.'
        : `It is predicted to give back ${bytesText(predicted.totalBytes)} (${countText(predicted.totalBytes)} bytes).`
    return {
      lines: [gives, STANDS_STILL],
      question: `run malloc_trim(0) inside process ${pid}`,
      run: () =>
        told(
          () => trim(controlled, predicted, visit),
          (outcome) => [...trimText(outcome).split('\n'), '', visitLine(outcome.visit)],
        ),
    }
  }
  const state = await readLimitState(controlled, { gdbPath })
  refuseIfLatched(state, wish.arenaMax)
  return {
    lines: [`There are ${state.arenas} arenas now.`, STANDS_STILL],
    question: `${howOf(state, wish.arenaMax)} inside process ${pid}`,
    run: () =>
      told(
        () => limit(controlled, state, wish.arenaMax, visit),
        (outcome) => [...limitText(wish.arenaMax, outcome).split('\n'), '', visitLine(outcome.visit)],
      ),
  }
}
