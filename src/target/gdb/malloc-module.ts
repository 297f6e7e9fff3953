// Which mapped file does malloc come from?
import type { Module } from '../target.js'

/** libc, or the program itself when there is no libc (a static program); null when there is neither. */
export function mallocModule(modules: readonly Module[]): Module | null {
  for (const pattern of [/\/libc(\.so\.6|-2\.\d+\.so)$/, /\/libc[.-][^/]*$/]) {
    const found = modules.find((module) => pattern.test(module.path))
    if (found) return found
  }
  return modules.find((module) => module.isProgram) ?? null
}
