// The program or libc of this machine is another build than the core's: said, with what helps.
import type { Module } from '../target.js'

const LIBC = /(^|\/)libc(\.so\.6|-2\.\d+\.so)$/

/** A sentence for each of the program and libc whose file here has another build-id than the core's. */
export function otherBuilds(modules: readonly Module[]): readonly string[] {
  return modules.flatMap((module) => {
    if (!module.fileProblem?.startsWith('build-id differs')) return []
    const what = `${module.path} on this machine is another build than the core's (${module.fileProblem})`
    if (module.isProgram) {
      return `${what}: give the program of that build (arena-inspect CORE PROGRAM), or --sysroot FOLDER`
    }
    if (!LIBC.test(module.path)) return []
    return `${what}: give a folder with the target's files (--sysroot FOLDER), or install libc6 and libc6-dbg of that build into one`
  })
}
