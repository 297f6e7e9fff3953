// Frames, variables, registers and instructions of threads that stand still: gdb's knowledge, on a core or attached.
import { existsSync } from 'node:fs'
import { type Address, address } from '../../../memory/address.js'
import { completeLine, listSourceFiles } from '../../../mi/code-commands.js'
import { threadInfo } from '../../../mi/commands.js'
import {
  dataListRegisterNames,
  dataListRegisterValues,
  hexOrNull,
  type MiFramePlace,
  stackListFullFrames,
} from '../../../mi/frame-commands.js'
import type { GdbSession } from '../../../mi/gdb-session.js'
import { MiError } from '../../../mi/mi-error.js'
import { unlessRefused } from '../../../mi/unless-refused.js'
import {
  type Code,
  type CodeFrame,
  type CodeInstruction,
  CodeRefusal,
  type CodeRegister,
  type CodeVariable,
  type FramePlace,
  type SourceFile,
} from '../../code.js'
import type { ReadyGdb } from '../scripted-gdb.js'
import { evaluated, frameVariables } from './frame-variables.js'
import { instructionsAround } from './instructions.js'

/** Registers that programs are written with; all others hold vectors, floating point and what the kernel wants. */
const GENERAL =
  /^(r[a-d]x|r[sd]i|r[bs]p|r\d+|rip|e[a-d]x|e[sd]i|e[bs]p|eip|eflags|x\d+|sp|pc|cpsr|[cdefgs]s|[fg]s_base)$/

/** The gdb that answers; asked for with each question, because it may have to be started. */
export interface GdbOfCode {
  ready(): Promise<ReadyGdb>
  close(): Promise<void>
}

export class GdbCode implements Code {
  readonly #gdb: GdbOfCode
  #of: GdbSession | null = null
  #threads: Promise<ReadonlyMap<number, number>> | null = null
  #registers: Promise<readonly string[]> | null = null
  #sources: Promise<readonly SourceFile[]> | null = null
  readonly #known = new Map<string, SourceFile>()
  readonly #variables = new Map<string, Promise<{ args: CodeVariable[]; locals: CodeVariable[] }>>()
  readonly #evaluated = new Map<string, Promise<CodeVariable>>()

  constructor(gdb: GdbOfCode) {
    this.#gdb = gdb
  }

  frames(tid: number, from: number, count: number): Promise<readonly CodeFrame[]> {
    return this.#ask(async (gdb) => {
      const { thread } = await this.#place(gdb, { tid, level: 0 })
      const answer = stackListFullFrames(gdb, thread, from, from + count - 1)
      // gdb refuses what begins behind the end of the stack.
      const found = from > 0 ? ((await unlessRefused(answer)) ?? []) : await answer
      return found.map(({ level, pc, functionName, file, fullName, line, from: library }) => ({
        level,
        pc: address(pc),
        functionName,
        source: fullName || file ? this.#source(fullName ?? file!) : null,
        line,
        library,
      }))
    })
  }

  variables(place: FramePlace): Promise<{ args: readonly CodeVariable[]; locals: readonly CodeVariable[] }> {
    return remembered(this.#variables, keyOf(place), () =>
      this.#ask(async (gdb) => openedSafely(await frameVariables(gdb, await this.#place(gdb, place)))),
    )
  }

  registers(place: FramePlace, general: boolean): Promise<readonly CodeRegister[]> {
    return this.#ask(async (gdb) => {
      this.#registers ??= dataListRegisterNames(gdb)
      const names = await this.#registers
      const numbers = names.flatMap((name, index) =>
        name !== '' && GENERAL.test(name) === general ? [index] : [],
      )
      if (numbers.length === 0) return []
      const values = await dataListRegisterValues(gdb, await this.#place(gdb, place), numbers)
      return numbers.flatMap((number) => {
        const text = values.get(number)
        return text === undefined ? [] : [{ name: names[number]!, value: hexOrNull(text), text }]
      })
    })
  }

  evaluate(place: FramePlace, expression: string): Promise<CodeVariable> {
    return remembered(this.#evaluated, `${keyOf(place)}:${expression}`, () =>
      this.#ask(async (gdb) =>
        safely(await evaluated(gdb, await this.#place(gdb, place), expression, expression)),
      ),
    )
  }

  disassemble(at: Address, before: number, after: number): Promise<readonly CodeInstruction[]> {
    return this.#ask((gdb) => instructionsAround(gdb, at, before, after, (path) => this.#source(path)))
  }

  sources(): Promise<readonly SourceFile[]> {
    this.#sources ??= this.#ask(async (gdb) => {
      const paths = (await listSourceFiles(gdb)).map(({ file, fullName }) => fullName ?? file)
      return [...new Set(paths)].map((path) => this.#source(path))
    })
    return this.#sources
  }

  command(command: string): Promise<string> {
    return this.#ask((gdb) => gdb.console(command))
  }

  complete(text: string): Promise<readonly string[]> {
    return this.#ask((gdb) => completeLine(gdb, text))
  }

  close(): Promise<void> {
    return this.#gdb.close()
  }

  async #place(gdb: GdbSession, { tid, level }: FramePlace): Promise<MiFramePlace> {
    this.#threads ??= threadInfo(gdb).then(
      (threads) =>
        new Map(
          threads.map(({ id, targetId }) => [
            Number(/LWP (\d+)|process (\d+)/.exec(targetId)?.slice(1).find(Boolean)),
            id,
          ]),
        ),
    )
    const thread = (await this.#threads).get(tid)
    if (thread === undefined)
      throw new CodeRefusal(`gdb knows no thread ${tid}`, false, 'see the list of threads')
    return { thread, level }
  }

  #source(path: string): SourceFile {
    const known = this.#known.get(path) ?? { path, isHere: path.startsWith('/') && existsSync(path) }
    this.#known.set(path, known)
    return known
  }

  #ask<T>(question: (gdb: GdbSession) => Promise<T>): Promise<T> {
    return refusing(async () => {
      const { session } = await this.#gdb.ready()
      if (this.#of !== session) this.#forget(session)
      return question(session)
    })
  }

  // Another gdb was started, because the one before has died: it knows none of the names of that one.
  #forget(session: GdbSession): void {
    const isFirst = this.#of === null
    this.#of = session
    if (isFirst) return
    this.#threads = null
    this.#registers = null
    this.#variables.clear()
    this.#evaluated.clear()
  }
}

function keyOf({ tid, level }: FramePlace): string {
  return `${tid}:${level}`
}

// A failed answer is asked for again.
function remembered<T>(answers: Map<string, Promise<T>>, key: string, ask: () => Promise<T>): Promise<T> {
  const answer = answers.get(key) ?? ask()
  answers.set(key, answer)
  answer.catch(() => answers.delete(key))
  return answer
}

async function refusing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof MiError)) throw error
    throw new CodeRefusal(error.gdbMessage, error.kind !== 'refused', error.hint)
  }
}

function openedSafely({ args, locals }: { args: CodeVariable[]; locals: CodeVariable[] }) {
  return { args: args.map(safely), locals: locals.map(safely) }
}

// What is opened later throws CodeRefusal too.
function safely(variable: CodeVariable): CodeVariable {
  const { open } = variable
  if (!open) return variable
  return {
    ...variable,
    open: (from, count) => refusing(async () => (await open(from, count)).map(safely)),
  }
}
