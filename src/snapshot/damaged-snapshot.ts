// A snapshot that cannot be believed.
import { TargetError } from '../target/target.js'

/** What is wrong in a record; `open-snapshot.ts` and the session say of which file. */
export class DamagedRecord extends Error {
  override readonly name = 'DamagedRecord'
}

/** The same, for the user. */
export function damagedSnapshot(path: string, what: string): TargetError {
  return new TargetError(
    `${path} is a damaged snapshot: ${what}`,
    'copy it again from where it was written, and compare the sizes',
  )
}
