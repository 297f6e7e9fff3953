// Worker processes for a batch: each takes one core at a time; one that dies or hangs takes only its own core with it.
import { type ChildProcess, spawn } from 'node:child_process'
import { durationText } from '../../format/durations.js'
import { selfCommand } from '../self-command.js'
import { type BatchAnswer, failure } from './row.js'
import type { WorkerTask } from './worker.js'

const STDERR_KEPT = 2000

/** One task, and what came of it. Always resolves. */
export class Worker {
  #child: ChildProcess | null = null
  #stderr = ''

  /** Runs the task in the process of this worker, which is started when there is none (any more). */
  run(task: WorkerTask, timeoutMs: number): Promise<BatchAnswer> {
    return new Promise((resolve) => {
      const child = this.#child ?? this.#start()
      let isLate = false
      const timer = setTimeout(() => {
        isLate = true
        child.kill('SIGKILL')
      }, timeoutMs)
      const done = (answer: BatchAnswer) => {
        clearTimeout(timer)
        child.off('message', onMessage).off('exit', onExit).off('error', onError)
        resolve(answer)
      }
      const onMessage = (message: BatchAnswer | 'ready') => {
        if (message === 'ready') child.send(task, () => {})
        else done(message)
      }
      const onExit = (code: number | null, signal: NodeJS.Signals | null) => {
        this.#child = null
        done(isLate ? lateFailure(timeoutMs) : deathFailure(code, signal, this.#stderr))
      }
      const onError = (error: Error) => {
        this.#child = null
        done(failure(`no worker could be started: ${error.message}`, 'are there processes and memory left?'))
      }
      child.on('message', onMessage).on('exit', onExit).on('error', onError)
      if (this.#child) child.send(task, () => {})
      else this.#child = child
    })
  }

  end(): void {
    this.#child?.kill('SIGKILL')
    this.#child = null
  }

  #start(): ChildProcess {
    const [file, args] = selfCommand()
    this.#stderr = ''
    const child = spawn(file, [...process.execArgv, ...args, 'batch-worker'], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT)
    })
    return child
  }
}

function lateFailure(timeoutMs: number): BatchAnswer {
  return failure(
    `not done after ${durationText(timeoutMs)}`,
    'give it longer with --timeout, or look at it alone with arena-inspect report',
  )
}

function deathFailure(code: number | null, signal: NodeJS.Signals | null, stderr: string): BatchAnswer {
  const last = stderr
    .trim()
    .split('\n')
    .find((line) => /FATAL ERROR|Error:/.test(line))
  const why = signal === null ? `ended with code ${code}` : `was ended by ${signal}`
  const said = last === undefined ? '' : `: ${last.trim()}`
  const memory = signal === 'SIGKILL' || signal === 'SIGABRT' ? '; memory may have run out' : ''
  return failure(
    `the process that read it ${why}${said}${memory}`,
    'look at it alone with arena-inspect report, or run fewer --jobs',
  )
}
