// Where stacks end, by the unwind tables of real libraries, in a file and in memory, against readelf; and damaged ones.
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t from 'tap'
import type { ByteSource } from '../../src/target/elf/byte-source.js'
import { imageOfFile, isOutermost } from '../../src/target/elf/unwind-table.js'
import { compile } from '../support/programs.js'

function bytesOf(bytes: Uint8Array): ByteSource {
  return {
    read(position, into) {
      const part = bytes.subarray(position, position + into.length)
      into.set(part)
      return part.length
    },
  }
}

/** Of each FDE that readelf shows: [address, whether the return address is undefined there] for each of its rows. */
function rowsOf(file: string): [number, boolean][] {
  // Its exit code also tells of debug files that are not there.
  const args = ['--debug-dump=frames-interp', '-W', file]
  const text = spawnSync('readelf', args, { encoding: 'utf8', maxBuffer: 1e9 }).stdout
  const rows: [number, boolean][] = []
  const initially = new Map<string, boolean>()
  for (const part of text.split('\n\n')) {
    const lines = part.trim().split('\n')
    // The return address has the last column.
    const own = lines
      .slice(2)
      .map((line): [number, boolean] => [Number.parseInt(line.trim(), 16), /\bu$/.test(line.trim())])
    const cie = /^(\w+) \w+ \w+ CIE/.exec(lines[0]!)
    const fde = /FDE cie=(\w+) pc=([0-9a-f]+)\.\./.exec(lines[0]!)
    if (cie) initially.set(cie[1]!, own[0]?.[1] ?? false)
    else if (fde && own.length > 0) rows.push(...own)
    else if (fde) rows.push([Number.parseInt(fde[2]!, 16), initially.get(fde[1]!)!])
  }
  return rows
}

const libc = /=> (\/\S*libc\.so\S*)/.exec(execFileSync('ldd', [process.execPath], { encoding: 'utf8' }))![1]!
const program = compile('int main(void) { return 0; }')

t.test('each row of libc and of a program, as readelf has them', async (t) => {
  for (const file of [libc, program]) {
    const image = imageOfFile(bytesOf(readFileSync(file)))
    const rows = rowsOf(file)
    const wrong = rows.filter(([pc, expected]) => isOutermost(image, 0, pc) !== expected)
    t.same(wrong, [])
    t.ok(
      rows.some(([, isEnd]) => isEnd),
      'clone, or _start',
    )
    t.equal(isOutermost(image, 0, 1), null, 'no code')
  }
})

t.test('damaged tables: no answer or some answer, never an end without one', async (t) => {
  const bytes = readFileSync(program)
  const places = rowsOf(program).map(([pc]) => pc)
  let answers = 0
  let seed = 1
  for (let round = 0; round < 3000; round++) {
    const damaged = Uint8Array.from(bytes)
    for (let one = 0; one < 40; one++) {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
      damaged[seed % damaged.length] = (seed >> 8) & 0xff
    }
    const image = imageOfFile(bytesOf(round % 3 === 0 ? damaged.subarray(0, seed % bytes.length) : damaged))
    for (const pc of places) if (isOutermost(image, 0, pc) !== null) answers++
  }
  t.ok(answers > 0 && answers < 3000 * places.length, `${answers} answers`)
})
