// The ELF reader against binutils and against damaged bytes.
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Address, address } from '../../src/memory/address.js'
import { MemoryFault } from '../../src/memory/memory-fault.js'
import type { MemorySource } from '../../src/memory/memory-source.js'
import { buildIdInMemory, buildIdOfFile } from '../../src/target/elf/build-id.js'
import { type ByteSource, buffered, fileBytes } from '../../src/target/elf/byte-source.js'
import { ELF, ELF_HEADER_BYTES, parseElfHeader } from '../../src/target/elf/elf-header.js'
import { readElfImage } from '../../src/target/elf/elf-image.js'
import { type Note, noteBytes, notes } from '../../src/target/elf/notes.js'
import { programHeaders } from '../../src/target/elf/program-headers.js'
import { sectionHeaders } from '../../src/target/elf/section-headers.js'
import { elfImage } from '../fakes/elf-core.js'
import { compile, scratch } from '../support/programs.js'

const folder = scratch()
const SOURCE = '#include <unistd.h>\nint main(void){write(1,"x\\n",2);pause();return 0;}'

function bytesOf(bytes: Uint8Array): ByteSource {
  return {
    read(position, into) {
      const part = bytes.subarray(position, position + into.length)
      into.set(part)
      return part.length
    },
  }
}

function memoryAt(base: bigint, bytes: Uint8Array): MemorySource {
  const source = bytesOf(bytes)
  return {
    read: (at, into) => (at < base ? 0 : source.read(Number(at - base), into)),
    fault: (at: Address) => new MemoryFault(at, 'unmapped'),
  }
}

function readelf(flag: string, path: string): string {
  return execFileSync('readelf', [flag, '-W', path], { encoding: 'utf8' })
}

t.test('headers are what readelf says', async (t) => {
  const program = compile(SOURCE)
  const fd = openSync(program, 'r')
  t.teardown(() => closeSync(fd))
  const source = fileBytes(fd)
  const head = new Uint8Array(ELF_HEADER_BYTES)
  source.read(0, head)
  const header = parseElfHeader(head)!
  const said = readelf('-h', program)
  const number = (label: string) => Number(said.match(new RegExp(`${label}:\\s+(\\d+)`))![1])
  t.equal(header.programHeaderCount, number('Number of program headers'))
  t.equal(header.sectionHeadersAt, number('Start of section headers'))
  t.equal([...sectionHeaders(source, header)].length, number('Number of section headers'))
  const loads = readelf('-l', program)
    .split('\n')
    .filter((line) => line.trim().startsWith('LOAD'))
    .map((line) => line.trim().split(/\s+/).slice(1, 6).map(Number))
  const ours = [...programHeaders(source, header)].filter((p) => p.type === ELF.PT_LOAD)
  t.same(
    ours.map((p) => [p.fileOffset, p.virtualAddress, p.virtualAddress, p.fileBytes, p.memoryBytes]),
    loads,
  )
})

t.test('build-ids of files', async (t) => {
  const program = compile(SOURCE)
  t.equal(buildIdOfFile(program), readelf('-n', program).match(/Build ID: ([0-9a-f]+)/)![1])
  t.equal(buildIdOfFile(compile(SOURCE, ['-Wl,--build-id=none'])), null, 'linked without one')
  t.equal(buildIdOfFile(compile(SOURCE, ['-Wl,--build-id=0x0123456789abcdef'])), '0123456789abcdef')
  const text = join(folder, 'text')
  writeFileSync(text, 'not an ELF file')
  t.equal(buildIdOfFile(text), null, 'a text file')
  t.equal(buildIdOfFile(folder), null, 'a folder')
  t.equal(buildIdOfFile(join(folder, 'nothing')), null, 'no file')
})

t.test('build-ids in memory', async (t) => {
  const loads = [{ offset: 0, address: 0x1000n, bytes: 4096, flags: 5 }]
  const image = elfImage({ loads, buildId: 'aabbccdd' })
  t.equal(buildIdInMemory(memoryAt(0x7000n, image), address(0x7000)), 'aabbccdd')
  t.equal(buildIdInMemory(memoryAt(0x7000n, image), address(0x6000)), null, 'nothing there')
  const cut = readElfImage(bytesOf(image.subarray(0, 2048)), 'memory')!
  t.same([cut.buildId, cut.buildIdUnread], [null, true], 'the note is not readable: unknown, not absent')
  const none = readElfImage(bytesOf(elfImage({ loads, buildId: null })), 'memory')!
  t.same([none.buildId, none.buildIdUnread], [null, false], 'no note: absent')
})

t.test('notes do not trust sizes', async (t) => {
  const walk = (bytes: Uint8Array, length = bytes.length): [Note[], string | null] => {
    const found: Note[] = []
    const iterator = notes(bytesOf(bytes), 0, length)
    let step = iterator.next()
    for (; !step.done; step = iterator.next()) found.push(step.value)
    return [found, step.value]
  }
  const note = (nameBytes: number, bytes: number) => {
    const out = new Uint8Array(20)
    const view = new DataView(out.buffer)
    view.setUint32(0, nameBytes, true)
    view.setUint32(4, bytes, true)
    view.setUint32(8, 7, true)
    out.set([0x47, 0x4e, 0x55, 0], 12)
    return out
  }
  t.same(walk(note(4, 4)), [[{ name: 'GNU', type: 7, position: 16, bytes: 4 }], null])
  t.same(walk(new Uint8Array()), [[], null], 'no notes at all')
  t.match(walk(note(4, 0xffffffff)), [[], /claims 4294967299 bytes/], 'a descriptor of 4 GiB')
  t.match(walk(note(0xffffffff, 4)), [[], /claims/], 'a name of 4 GiB')
  t.match(walk(note(4, 4), 2 ** 40)[1], /cut after 20 of/, 'the range is longer than the file')
  const zeros = walk(new Uint8Array(1 << 20))
  t.equal(zeros[0].length, Math.floor((1 << 20) / 12), 'zeros are empty notes, and end')
  const [found] = walk(note(4, 4))
  t.equal(noteBytes(bytesOf(note(4, 4)), found[0]!, 3), null, 'longer than the limit')
  t.equal(noteBytes(bytesOf(note(4, 4)), found[0]!, 4)?.length, 4)
})

t.test('a buffered source answers as its source', async (t) => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i * 7)
  const plain = bytesOf(bytes)
  const window = buffered(plain, 64)
  for (const [position, length] of [
    [0, 10],
    [5, 60],
    [60, 10],
    [3, 4],
    [500, 200],
    [990, 20],
    [1000, 4],
    [5000, 4],
    [996, 4],
  ] as const) {
    const a = new Uint8Array(length)
    const b = new Uint8Array(length)
    const got = window.read(position, a)
    t.equal(got, plain.read(position, b), `count at ${position}`)
    t.same(a.subarray(0, got), b.subarray(0, got), `bytes at ${position}`)
  }
})

t.test('damaged headers are refused, not misread', async (t) => {
  const image = elfImage({ loads: [{ offset: 0, address: 0n, bytes: 4096, flags: 5 }], buildId: null })
  t.equal(parseElfHeader(image.subarray(0, 63)), null, 'cut')
  t.equal(parseElfHeader(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 9)), null, 'unknown class')
  t.equal(readElfImage(bytesOf(image.subarray(0, 100)), 'file'), null, 'program headers cut')
  const many = image.slice()
  new DataView(many.buffer).setUint16(56, 0xfff0, true)
  t.equal(readElfImage(bytesOf(many), 'file'), null, 'absurdly many program headers')
  const narrow = image.slice()
  new DataView(narrow.buffer).setUint16(54, 8, true)
  t.equal(readElfImage(bytesOf(narrow), 'file'), null, 'entries shorter than a program header')
})
