// Tells a failed system call from a bug.

/** True for the errors that node:fs throws; `code` is then `ENOENT` and the like. */
export function isNodeError(error: unknown): error is NodeJS.ErrnoException & { code: string } {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).code === 'string'
}
