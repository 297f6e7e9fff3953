// Odd and hostile cores, all synthetic, and files that are no cores.
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { address, offset } from '../../src/memory/address.js'
import { readExactly } from '../../src/memory/memory-source.js'
import { permissionText } from '../../src/memory/region.js'
import { openCore } from '../../src/target/core/open-core.js'
import type { Target } from '../../src/target/target.js'
import {
  auxv,
  elfCore,
  elfImage,
  type FakeCore,
  type FakeNote,
  mappedFiles,
  prpsinfo,
  prstatus,
} from '../fakes/elf-core.js'
import { scratch } from '../support/programs.js'

const folder = scratch()
let files = 0

function write(bytes: Uint8Array | string): string {
  const path = join(folder, `file-${files++}`)
  writeFileSync(path, bytes)
  return path
}

function open(t: Test, path: string, options: Parameters<typeof openCore>[1] = {}): Target {
  const target = openCore(path, options)
  t.teardown(() => target.close())
  return target
}

function openFake(t: Test, core: FakeCore): Target {
  return open(t, write(elfCore(core)))
}

function page(fill: number): Uint8Array {
  return new Uint8Array(4096).fill(fill)
}

t.test('a truncated core says what is missing', async (t) => {
  const whole = elfCore({
    segments: [
      { address: 0x10000n, bytes: page(1) },
      { address: 0x20000n, bytes: page(2) },
      { address: 0x30000n, bytes: page(3) },
    ],
  })
  const target = open(t, write(whole.subarray(0, whole.length - 5000)))
  const ends = `it ends at ${whole.length - 5000} of ${whole.length} bytes`
  t.match(
    target.problems.find((p) => p.includes('truncated')),
    new RegExp(
      `^the file is truncated: ${ends}; 5000 bytes of memory in 2 segments are missing; before the next core: .*ulimit -c`,
    ),
  )
  t.equal(target.memory.read(address(0x20000), new Uint8Array(8192)), 4096 - 904)
  t.match(target.memory.fault(address(0x20000 + 4096 - 904)), { kind: 'unsaved', message: /truncated/ })
})

t.test('70,000 segments', async (t) => {
  const count = 70_000
  const segments = Array.from({ length: count }, (_, i) => {
    const bytes = new Uint8Array(16)
    new DataView(bytes.buffer).setUint32(4, i, true)
    return { address: 0x10_0000n + 0x2000n * BigInt(i), bytes, memoryBytes: 4096 }
  }).reverse()
  const bytes = elfCore({ segments, extendedCount: true })
  const target = open(t, write(bytes))
  t.equal(target.regions().length, count)
  for (let k = 0; k < 2000; k++) {
    const i = (k * 34_999) % count
    const at = offset(address(0x10_0000), 0x2000 * i)
    const got = readExactly(target.memory, at, 16)
    if (new DataView(got.buffer).getUint32(4, true) !== i) t.fail(`segment ${i}`)
    if (target.memory.read(offset(at, 8), new Uint8Array(100)) !== 8) t.fail(`the end of segment ${i}`)
  }
  t.match(target.memory.fault(address(0x10_0000 + 4096)), { kind: 'unmapped' })
  t.match(target.memory.fault(address(0x10_0010)), { kind: 'unsaved' })

  const cut = open(t, write(bytes.subarray(0, bytes.length - 64 - 160)))
  t.equal(cut.regions().length, count, 'the count is inferred when section 0 is cut off')
  t.match(cut.problems.join('\n'), /inferred from where the notes begin/)
  t.match(cut.problems.join('\n'), /160 bytes of memory in 10 segments are missing/)
  const odd = bytes.slice(0, bytes.length - 64)
  odd[64 + 56 * 69_000] = 9
  t.equal(open(t, write(odd)).regions().length, 65_534, 'not inferred when an entry is no PT_LOAD')
})

t.test('bytes across neighbouring segments, and above 2^53', async (t) => {
  const high = 0xffff_ffff_ff60_0000n
  const target = openFake(t, {
    segments: [
      { address: high, bytes: page(9), flags: 1 },
      { address: 0x2000n, bytes: page(2) },
      { address: 0x3000n, bytes: page(3), memoryBytes: 8192 },
      { address: 0x1000n, bytes: page(1) },
    ],
  })
  const into = new Uint8Array(5 * 4096)
  t.equal(target.memory.read(address(0x1000), into), 3 * 4096)
  t.same(
    [0, 4095, 4096, 8191, 8192, 12287].map((i) => into[i]),
    [1, 1, 2, 2, 3, 3],
  )
  t.match(target.memory.fault(address(0x4000)), { kind: 'unsaved', address: 0x4000n })
  t.match(target.memory.fault(address(0x5000)), { kind: 'unmapped' })
  t.same(readExactly(target.memory, offset(address(high), 4000), 96), page(9).subarray(0, 96))
  t.equal(target.memory.read(offset(address(high), -1), new Uint8Array(1)), 0)
  t.match(target.memory.fault(offset(address(high), 4096)), { kind: 'unmapped' })
  t.match(target.memory.fault(address(2n ** 60n)), { kind: 'unmapped' })
  const last = target.regions().at(-1)!
  t.match([last.start, last.path, permissionText(last.permissions)], [high, '[vsyscall]', '--xp'])
})

t.test('overlapping and impossible segments', async (t) => {
  const target = openFake(t, {
    segments: [
      { address: 0x1000n, bytes: page(1) },
      { address: 0x1800n, bytes: page(2) },
      { address: 0x1000n, bytes: page(3) },
      { address: 0x8000n, bytes: page(4), claimedOffset: 2n ** 63n },
      { address: 0x9000n, bytes: page(5), claimedBytes: 2n ** 64n - 1n },
      { address: 0xffff_ffff_ffff_f000n, bytes: page(6), memoryBytes: 8192 },
      { address: 2n ** 60n, bytes: page(7) },
      { address: 0xa000n, memoryBytes: 2n ** 64n - 1n },
    ],
  })
  t.match(target.problems.join('\n'), /2 segments of the core overlap a lower one/)
  t.match(target.problems.join('\n'), /5 segments of the core have impossible addresses or sizes/)
  const into = new Uint8Array(8192)
  t.equal(target.memory.read(address(0x1000), into), 6144)
  t.same([into[0], into[4095], into[4096], into[6143]], [1, 1, 2, 2], 'the lower one is kept whole')
  t.equal(target.memory.read(address(0x8000), into), 0)
  t.match(target.memory.fault(address(0x8000)), { kind: 'unsaved' })
  t.same(
    target.regions().map((r) => [r.start, r.end]),
    [
      [0x1000n, 0x2000n],
      [0x2000n, 0x2800n],
      [0x8000n, 0x9000n],
      [0x9000n, 0xa000n],
    ],
  )
})

const THREAD = { tid: 7, stackPointer: 0x1100n, threadPointer: 0x1200n, signal: 11 }

t.test('notes', async (t) => {
  const segments = [{ address: 0x1000n, bytes: page(1) }]
  const full = openFake(t, {
    segments,
    notes: [
      prstatus(THREAD),
      prpsinfo(7, 'a-program', '/usr/bin/a-program --option'),
      prstatus({ ...THREAD, tid: 8, signal: 0 }),
      auxv([
        [6, 65536n],
        [9, 0x1010n],
      ]),
    ],
  })
  t.match(full, { pid: 7, signal: 11, executable: '/usr/bin/a-program', pageBytes: 65536 })
  t.same(full.threads(), [
    { tid: 7, name: 'a-program', stackPointer: 0x1100n, threadPointer: 0x1200n },
    { tid: 8, name: null, stackPointer: 0x1100n, threadPointer: 0x1200n },
  ])
  t.equal(full.regions()[0]!.path, '[stack]')
  t.equal(full.problems.length, 1)
  t.match(full.problems[0], /no readable note of mapped files \(NT_FILE\).*: take the next core with/)

  const tls = new Uint8Array(16)
  new DataView(tls.buffer).setBigUint64(0, 0xabc0n, true)
  const arm = openFake(t, {
    machine: 183,
    segments,
    notes: [
      prstatus({ tid: 3, stackPointer: 0x1300n }),
      { name: 'LINUX', type: 0x401, bytes: tls },
      prstatus({ tid: 4, stackPointer: 0x1400n }),
    ],
  })
  t.match(arm, { machine: 'aarch64', wordBytes: 8, signal: null, pid: null, executable: null })
  t.same(
    arm.threads().map((thread) => [thread.tid, thread.stackPointer, thread.threadPointer]),
    [
      [3, 0x1300n, 0xabc0n],
      [4, 0x1400n, null],
    ],
  )
})

t.test('notes that lie', async (t) => {
  const segments = [{ address: 0x1000n, bytes: page(1) }]
  const problemsOf = (...notes: FakeNote[]) => openFake(t, { segments, notes }).problems.join('\n')
  const file = { start: 0x1000n, end: 0x2000n, page: 0, path: '/a' }
  t.match(
    problemsOf(prstatus(THREAD), { ...prstatus(THREAD), claimedBytes: 0xffff_fff0 }),
    /claims \d+ bytes/,
  )
  t.match(problemsOf(mappedFiles([file], 2 ** 52)), /4503599627370495 entries .* make no sense/)
  t.match(problemsOf(mappedFiles([file, { ...file, start: 0x1800n }])), /1 entries .* make no sense/)
  t.match(
    problemsOf(
      mappedFiles([
        { ...file, end: 0n },
        { ...file, path: '' },
      ]),
    ),
    /2 entries .* make no sense/,
  )
  t.match(
    problemsOf({ ...prstatus(THREAD), bytes: new Uint8Array(20) }),
    /a note of a thread has 20 bytes only/,
  )
  t.match(problemsOf({ name: 'CORE', type: 6, bytes: new Uint8Array(100_000) }), /could not be read/)
  t.match(
    problemsOf({ name: 'FreeBSD', type: 1, bytes: new Uint8Array(336) }),
    /no readable note of a thread/,
  )
})

t.test('files, modules and regions', async (t) => {
  const loads = [
    { offset: 0, address: 0n, bytes: 4096, flags: 4 },
    { offset: 4096, address: 4096n, bytes: 8192, flags: 5 },
  ]
  const image = elfImage({ loads, buildId: 'aa11' })
  const path = write(elfImage({ loads, buildId: 'aa11' }))
  const other = write(elfImage({ loads, buildId: 'bb22' }))
  const files = [
    { start: 0x10000n, end: 0x11000n, page: 0, path },
    { start: 0x11000n, end: 0x13000n, page: 1, path },
    { start: 0x20000n, end: 0x21000n, page: 0, path: '/data' },
    { start: 0x30000n, end: 0x31000n, page: 0, path: other },
    { start: 0x40000n, end: 0x41000n, page: 0, path },
  ]
  const target = openFake(t, {
    notes: [mappedFiles(files), auxv([[3, 0x10040n]])],
    segments: [
      { address: 0x10000n, bytes: image, flags: 4 },
      { address: 0x20000n, bytes: page(5), memoryBytes: 8192 },
      { address: 0x30000n, bytes: image, flags: 4 },
      { address: 0x40000n, bytes: image, flags: 4 },
    ],
  })
  t.same(
    target.modules().map((m) => [m.path, m.base, m.loadBias, m.buildId, m.file, m.fileProblem, m.isProgram]),
    [
      [path, 0x10000n, 0x10000n, 'aa11', path, null, true],
      [other, 0x30000n, 0x30000n, 'aa11', null, 'build-id differs: core aa11, file bb22', false],
      [path, 0x40000n, 0x40000n, 'aa11', path, null, false],
    ],
  )
  t.equal(target.executable, path)
  t.same(
    target.regions().map((r) => [r.start, permissionText(r.permissions), r.fileOffset, r.path]),
    [
      [0x10000n, 'r--p', 0n, path],
      [0x11000n, 'r-xp', 4096n, path],
      [0x20000n, 'rw-p', 0n, '/data'],
      [0x21000n, 'rw-p', 0n, null],
      [0x30000n, 'r--p', 0n, other],
      [0x40000n, 'r--p', 0n, path],
    ],
  )
  t.equal(target.memory.read(address(0x11000), new Uint8Array(1)), 0, 'beyond the end of the file')
  t.match(target.memory.fault(address(0x11000)), { kind: 'unsaved' })
})

t.test('a mapped file fills only what the core lacks and the process cannot have changed', async (t) => {
  const loads = [
    { offset: 0, address: 0n, bytes: 6 * 4096, flags: 5 },
    { offset: 6 * 4096, address: 6n * 4096n, bytes: 4096, flags: 6 },
  ]
  const image = elfImage({ loads, buildId: 'cc33' })
  const path = write(Buffer.concat([image, new Uint8Array(6 * 4096).fill(0xaa)]))
  const base = 0x10000n
  const unsaved = (index: number, flags: number, pages = 1) => {
    return { address: base + 4096n * BigInt(index), memoryBytes: 4096 * pages, flags }
  }
  const core = (cutBytes: number, lastBytes: number) =>
    elfCore({
      notes: [mappedFiles([{ start: base, end: base + 7n * 4096n, page: 0, path }])],
      segments: [
        { address: base, bytes: image, flags: 5 },
        unsaved(1, 5),
        { address: base + 0x2000n, bytes: page(0xbb), flags: 5 },
        unsaved(3, 6),
        { address: base + 0x4000n, bytes: new Uint8Array(lastBytes).fill(0xcc), memoryBytes: 8192, flags: 5 },
        unsaved(6, 4),
      ],
    }).slice(0, cutBytes === 0 ? undefined : -cutBytes)
  const target = open(t, write(core(0, 4096)))
  const into = new Uint8Array(8 * 4096)
  t.equal(target.memory.read(address(base), into), 3 * 4096, 'up to a page that was writable')
  t.same([into[4096], into[8191], into[8192], into[12287]], [0xaa, 0xaa, 0xbb, 0xbb])
  t.equal(target.memory.read(address(base + 0x4000n), into), 8192, 'up to relocated data')
  t.same([into[4095], into[4096]], [0xcc, 0xaa])
  const cut = open(t, write(core(8192, 8192)))
  t.equal(cut.memory.read(address(base + 0x4000n), into), 0, 'pages that the core saved because they changed')
  t.match(cut.memory.fault(address(base + 0x4000n)), { kind: 'unsaved', message: /truncated/ })
})

t.test('what is not a core', async (t) => {
  const refused = (path: string, message: RegExp, hint: RegExp) => {
    t.throws(() => openCore(path), { name: 'TargetError', message, hint }, String(message))
  }
  const compressed: [string, number[], RegExp][] = [
    ['gzip', [0x1f, 0x8b, 8], /`gunzip -k /],
    ['zstd', [0x28, 0xb5, 0x2f, 0xfd], /`unzstd /],
    ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], /`unxz -k /],
    ['lz4', [0x04, 0x22, 0x4d, 0x18], /`unlz4 /],
  ]
  for (const [name, magic, command] of compressed) {
    refused(write(Uint8Array.from(magic)), new RegExp(`compressed with ${name}`), command)
  }
  const segments = [{ address: 0x1000n, bytes: page(1) }]
  refused(
    write('hello, world\n'),
    /is not a core file \(it begins with "hello, world\\n"\)/,
    /gcore PID.*--pid PID/,
  )
  refused(write(Uint8Array.of(0, 1, 2, 255)), /begins with 00 01 02 ff/, /gcore/)
  refused(write(''), /is empty/, /ulimit -c/)
  refused(folder, /is a folder/, /gcore/)
  refused('/dev/null', /is not a regular file/, /copy it to a file/)
  refused(join(folder, 'nothing'), /no such file/, /gcore/)
  refused(process.execPath, /is a program or library, not a core file/, /arena-inspect CORE /)
  refused(write(elfCore({ segments, bigEndian: true })), /big-endian/, /x86_64/)
  refused(
    write(elfCore({ segments, machine: 243 })),
    /64-bit core of RISC-V, which is not supported/,
    /x86_64/,
  )
  refused(write(elfCore({ segments, machine: 62, wordBytes: 4 })), /32-bit core of machine 62/, /x86_64/)
  refused(write(elfCore({ segments: [] })), /without memory/, /new core/)
  refused(write(elfCore({ segments }).subarray(0, 30)), /cut inside its ELF header: it has 30 bytes/, /again/)
  refused(write(elfCore({ segments }).subarray(0, 130)), /cut inside its headers: it ends at 130/, /again/)
  t.throws(() => openCore(write(elfCore({ segments })), { program: join(folder, 'no') }), {
    name: 'TargetError',
    message: /the program .* cannot be read \(ENOENT\)/,
  })
})

t.test('no permission', async (t) => {
  const path = write(elfCore({ segments: [{ address: 0x1000n, bytes: page(1) }] }))
  chmodSync(path, 0)
  // Root may read any file.
  const isRoot = process.geteuid?.() === 0
  if (isRoot) process.seteuid!(65534)
  try {
    t.throws(() => openCore(path), { name: 'TargetError', message: /no permission/, hint: /as root/ })
  } finally {
    if (isRoot) process.seteuid!(0)
  }
})
