// Snapshots written by the library, for tests that look at what is in them.
import { writeFileSync } from 'node:fs'
import { openSession, type TargetSession } from '../../src/session/open-session.js'
import { type SnapshotContents, snapshotRecords } from '../../src/snapshot/write-snapshot.js'

/** Writes a snapshot of an opened session to `file`. */
export async function writeSnapshot(
  session: TargetSession,
  file: string,
  contents: Partial<SnapshotContents> = {},
): Promise<string> {
  const all = { tool: 'arena-inspect test', madeAt: new Date(0), chunks: true, memory: false, ...contents }
  const records: Uint8Array[] = []
  for await (const record of snapshotRecords(session, all)) records.push(record)
  writeFileSync(file, Buffer.concat(records))
  return file
}

/** Opens a core, without gdb where names are not asked for. */
export function openCoreSession(path: string, useGdb = true): Promise<TargetSession> {
  return openSession({ kind: 'core', path }, { useGdb, gdbOnlyInDoubt: true })
}
