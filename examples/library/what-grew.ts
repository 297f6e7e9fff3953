// What grew from one target to another: cores, snapshots, saved reports; a number below 0 is one that shrank.
// usage: node what-grew.js BEFORE AFTER
import { compareReports, openAny, type Report } from 'arena-inspect'

async function reportOf(path: string): Promise<Report> {
  const session = await openAny({ kind: 'core', path })
  try {
    return session.report
  } finally {
    await session.close()
  }
}

const [before = 'before', after = 'after'] = process.argv.slice(2)
const { figures, arenas, problems } = compareReports(await reportOf(before), await reportOf(after))
for (const { metric, unit, grew } of figures) console.log(`${metric} (${unit}): ${grew ?? 'unknown'}`)
console.log(`new arenas: ${arenas?.filter(({ presence }) => presence === 'new').length ?? 'unknown'}`)
for (const problem of problems) console.error(problem)
