// Compressed cores: real ones packed by the real programs, cut and damaged ones, no room, no program to unpack.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { address } from '../../src/memory/address.js'
import { readExactly } from '../../src/memory/memory-source.js'
import { openCore } from '../../src/target/core/open-core.js'
import { openSymbols } from '../../src/target/gdb/open-symbols.js'
import { type OpenedTarget, openTarget, openTargetUnpacked } from '../../src/target/open.js'
import { TargetError } from '../../src/target/target.js'
import { packedFormat } from '../../src/target/unpack/packed-format.js'
import { promisedSize } from '../../src/target/unpack/promised-size.js'
import { SparseFile } from '../../src/target/unpack/sparse-file.js'
import { isWholeZstd } from '../../src/target/unpack/zstd-frames.js'
import { auxv, elfCore, mappedFiles, prpsinfo, prstatus } from '../fakes/elf-core.js'
import { bundle } from '../support/bundle.js'
import { endWithUs } from '../support/end-with-us.js'
import { compile, gcore, scratch, start } from '../support/programs.js'
import { nextOutput } from '../support/wait-until.js'

const folder = scratch()
const MIB = 1 << 20

/** A packer, the way core handlers call it: as a filter, so that sizes are not in the header. */
interface Packer {
  readonly name: string
  readonly stream: readonly [string, ...string[]]
  /** With the file at hand, so that the size is told; null when the format never says. */
  readonly whole: ((from: string, to: string) => readonly [string, ...string[]]) | null
}

const PACKERS: readonly Packer[] = [
  { name: 'gzip', stream: ['gzip', '-1'], whole: null },
  { name: 'zstd', stream: ['zstd', '-q', '-1'], whole: (from, to) => ['zstd', '-q', '-1', from, '-o', to] },
  {
    name: 'lz4',
    stream: ['lz4', '-q', '-1'],
    whole: (from, to) => ['lz4', '-q', '--content-size', from, to],
  },
  { name: 'xz', stream: ['xz', '-0'], whole: null },
]

function pack(core: string, packer: Packer): string {
  // The name says nothing: the magic decides.
  const to = join(folder, `packed-by-${packer.name}`)
  const bytes = execFileSync(packer.stream[0], packer.stream.slice(1), {
    input: readFileSync(core),
    maxBuffer: 1 << 30,
  })
  writeFileSync(to, bytes)
  return to
}

/** Three saved segments of 4 MiB that do not compress well, with 16 MiB of zeros in the middle. */
function fakeCore(): Uint8Array {
  const noise = (seed: number) => {
    const words = new Uint32Array(MIB)
    let x = seed
    for (let i = 0; i < words.length; i++) words[i] = x = (Math.imul(x, 1664525) + 1013904223) >>> 0
    return new Uint8Array(words.buffer)
  }
  return elfCore({
    notes: [
      prstatus({ tid: 7, stackPointer: 0x1000100n, threadPointer: 0x1000200n }),
      prpsinfo(7, 'fake', 'fake'),
      auxv([]),
      mappedFiles([{ start: 0x10000n, end: 0x11000n, page: 0, path: '/no/such/file' }]),
    ],
    segments: [
      { address: 0x1000000n, bytes: noise(1) },
      { address: 0x2000000n, bytes: new Uint8Array(16 * MIB) },
      { address: 0x4000000n, bytes: noise(2) },
    ],
  })
}

const plain = join(folder, 'core')
writeFileSync(plain, fakeCore())
const tools = PACKERS.map((packer) => packer.stream[0]).filter((tool) => spawnSync(tool, ['--version']).error)
const skipFor = (name: string) => (tools.includes(name) ? `no ${name} here` : false)

async function open(
  t: Test,
  path: string,
  progress?: (done: number, total: number) => void,
): Promise<OpenedTarget> {
  const opened = await openTargetUnpacked({ kind: 'core', path }, progress)
  t.teardown(() => opened.target.close())
  return opened
}

const leftovers = () => readdirSync(tmpdir()).filter((name) => name.startsWith('arena-inspect-unpacked-'))

for (const packer of PACKERS) {
  t.test(`a core packed by ${packer.name}`, { skip: skipFor(packer.name) }, async (t) => {
    const path = pack(plain, packer)
    const told: [number, number][] = []
    const { target, corePath } = await open(t, path, (done, total) => void told.push([done, total]))
    t.same(target.problems, [])
    t.equal(target.label, path, 'its name is what the user said')
    t.equal(target.pid, 7)
    t.ok(told.length > 0, 'progress is told')
    t.ok(
      told.every(([done, total]) => done > 0 && done <= total && total === statSync(path).size),
      'in packed bytes',
    )
    t.ok(readFileSync(corePath!).equals(readFileSync(plain)), 'others can read all of it')
    const { blocks } = statSync(corePath!)
    t.ok(blocks * 512 < 12 * MIB, `zeros take no room: ${blocks * 512} bytes`)
    t.same(leftovers(), [], 'nothing is left for anybody to find')
    target.close()
    t.throws(() => statSync(corePath!), { code: 'ENOENT' }, 'closing removes it')
    target.close()
  })

  t.test(`cut and damaged archives of ${packer.name}`, { skip: skipFor(packer.name) }, async (t) => {
    const packed = readFileSync(pack(plain, packer))
    const cut = join(folder, `cut-${packer.name}`)
    writeFileSync(cut, packed.subarray(0, packed.length - (3 * MIB) / 2))
    const { target } = await open(t, cut)
    t.match(
      target.problems[0],
      new RegExp(`^${cut} is cut or damaged \\(${packer.name} says .*copy it again`),
    )
    t.match(target.problems[1], /^the file is truncated: /)
    const read = readExactly(target.memory, address(0x1000000), 64)
    t.same(read, readExactly(openCore(plain).memory, address(0x1000000), 64), 'what was unpacked is there')
    t.match(target.memory.fault(address(0x43fffff)), { kind: 'unsaved', message: /truncated/ })

    const stub = join(folder, `stub-${packer.name}`)
    writeFileSync(stub, packed.subarray(0, 20))
    await t.rejects(openTargetUnpacked({ kind: 'core', path: stub }), {
      name: 'TargetError',
      message: /cut or damaged .*: no more than \d+ bytes could be unpacked/,
      hint: /copy it again/,
    })
    const noCore = join(folder, `text-${packer.name}`)
    const text = Buffer.from('just a log file, and a long one\n'.repeat(1000))
    writeFileSync(noCore, execFileSync(packer.stream[0], packer.stream.slice(1), { input: text }))
    await t.rejects(openTargetUnpacked({ kind: 'core', path: noCore }), {
      name: 'TargetError',
      message: `${noCore}, unpacked, is not a core file (it begins with "just a log file,")`,
    })
    const empty = join(folder, `empty-${packer.name}`)
    writeFileSync(empty, execFileSync(packer.stream[0], packer.stream.slice(1), { input: '' }))
    await t.rejects(openTargetUnpacked({ kind: 'core', path: empty }), { message: /it has 0 bytes/ })
    t.same(leftovers(), [])
  })
}

t.test('archives of several parts', { skip: skipFor('zstd') }, async (t) => {
  const bytes = readFileSync(plain)
  const half = bytes.length >> 1
  for (const packer of PACKERS.filter(({ name }) => !skipFor(name))) {
    const part = (input: Buffer) =>
      execFileSync(packer.stream[0], packer.stream.slice(1), { input, maxBuffer: 1 << 30 })
    const path = join(folder, `parts-${packer.name}`)
    writeFileSync(path, Buffer.concat([part(bytes.subarray(0, half)), part(bytes.subarray(half))]))
    const { corePath } = await open(t, path)
    t.ok(readFileSync(corePath!).equals(bytes), packer.name)
  }
})

t.test('a size that is told', async (t) => {
  const size = statSync(plain).size
  const told = (path: string) => {
    const fd = openSync(path, 'r')
    try {
      return promisedSize(fd, statSync(path).size, packedFormat(readFileSync(path).subarray(0, 18))!)
    } finally {
      closeSync(fd)
    }
  }
  const gz = join(folder, 'size.gz')
  writeFileSync(gz, gzipSync(readFileSync(plain), { level: 1 }))
  t.equal(told(gz), size, 'gzip')
  for (const packer of PACKERS.filter(({ name }) => !skipFor(name))) {
    if (packer.name === 'xz') t.equal(told(pack(plain, packer)), size, 'xz')
    if (!packer.whole) continue
    const to = join(folder, `whole.${packer.name}`)
    const [command, ...args] = packer.whole(plain, to)
    execFileSync(command, args)
    t.equal(told(to), size, packer.name)
    t.equal(told(pack(plain, packer)), null, `${packer.name} as a filter does not know`)
  }
  const small = join(folder, 'small')
  for (const length of [100, 200, 255, 256, 300, 65_535, 65_791, 65_792, 100_000]) {
    if (skipFor('zstd')) break
    writeFileSync(small, new Uint8Array(length).fill(1))
    execFileSync('zstd', ['-q', '-f', small, '-o', `${small}.zst`])
    t.equal(told(`${small}.zst`), length, `zstd, ${length} bytes`)
  }
})

t.test('whether a zstd file is whole', { skip: skipFor('zstd') }, async (t) => {
  const whole = (bytes: Uint8Array) => {
    const path = join(folder, 'whole-zstd')
    writeFileSync(path, bytes)
    const fd = openSync(path, 'r')
    try {
      return isWholeZstd(fd, bytes.length)
    } finally {
      closeSync(fd)
    }
  }
  for (const options of [['-1'], ['-1', '--no-check'], ['-19']]) {
    for (const input of [readFileSync(plain).subarray(0, 3 * MIB), Buffer.alloc(MIB), Buffer.from('x')]) {
      const packed = execFileSync('zstd', ['-q', ...options], { input, maxBuffer: 1 << 30 })
      const name = `${options.join(' ')}, ${input.length} bytes`
      t.ok(whole(packed), name)
      t.ok(whole(Buffer.concat([packed, packed])), `${name}, twice`)
      for (const cut of [1, 3, 4, 5, 9, packed.length >> 1, packed.length - 4]) {
        if (cut < packed.length)
          t.notOk(whole(packed.subarray(0, packed.length - cut)), `${name}, less ${cut}`)
      }
    }
  }
})

t.test('no program to unpack it', { skip: skipFor('lz4') }, async (t) => {
  const path = pack(plain, PACKERS.find(({ name }) => name === 'lz4')!)
  const before = process.env.PATH
  process.env.PATH = folder
  t.teardown(() => {
    process.env.PATH = before
  })
  await t.rejects(openTargetUnpacked({ kind: 'core', path }), {
    name: 'TargetError',
    message: `${path} is compressed with lz4, and no \`lz4\` is here to unpack it`,
    hint: 'apt-get install lz4, or unpack it elsewhere',
  })
  t.same(leftovers(), [])
})

t.test('no room', async (t) => {
  const disk = mkdtempSync(join(folder, 'disk-'))
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk]).status !== 0) {
    t.pass('a full disk', { skip: 'a file system of 2 MiB cannot be mounted here' })
    return
  }
  const before = process.env.TMPDIR
  process.env.TMPDIR = disk
  t.teardown(() => {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
    execFileSync('umount', [disk])
  })
  const size = statSync(plain).size
  const told = join(folder, 'told.gz')
  writeFileSync(told, gzipSync(readFileSync(plain), { level: 1 }))
  const message = (error: unknown) => (error instanceof TargetError ? error.message : String(error))
  const known = await openTargetUnpacked({ kind: 'core', path: told }).catch(message)
  t.equal(
    known,
    `no room in ${disk} to unpack ${told}, it needs ${size} bytes or more, 2097152 bytes are free`,
  )
  if (!skipFor('zstd')) {
    const streamed = pack(plain, PACKERS.find(({ name }) => name === 'zstd')!)
    const full = await openTargetUnpacked({ kind: 'core', path: streamed }).catch(message)
    t.match(full, /^no room in .* to unpack .*, \d+ bytes were unpacked, \d+ bytes are free$/)
  }
  t.same(readdirSync(disk), [])
  process.env.TMPDIR = '/no/such/folder'
  await t.rejects(openTargetUnpacked({ kind: 'core', path: told }), {
    message: /a temporary file cannot be made \(ENOENT\)/,
    hint: /^set TMPDIR/,
  })
})

t.test('what is not unpacked', async (t) => {
  const bz = join(folder, 'bz')
  writeFileSync(bz, 'BZh91AY&SY and so on')
  await t.rejects(openTargetUnpacked({ kind: 'core', path: bz }), {
    message: `${bz} is compressed with bzip2`,
    hint: `unpack it first: \`bunzip2 -k ${bz}\``,
  })
  const gz = join(folder, 'sync.gz')
  writeFileSync(gz, gzipSync(readFileSync(plain), { level: 1 }))
  t.throws(() => openTarget({ kind: 'core', path: gz }), { message: /is compressed with gzip/ })
  const { corePath } = await open(t, plain)
  t.equal(corePath, plain, 'a plain core is read where it is')
  await t.rejects(openTargetUnpacked({ kind: 'core', path: join(folder, 'absent') }), {
    message: /no such file/,
  })
  await t.rejects(openTargetUnpacked({ kind: 'core', path: folder }), { message: /is a folder/ })
})

t.test('a sparse file has the bytes that were appended', async (t) => {
  const file = new SparseFile()
  t.teardown(() => file.close())
  const parts: Uint8Array[] = []
  let seed = 5
  for (let i = 0; i < 400; i++) {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    const part = new Uint8Array(seed % 20_000)
    if (seed & 0x10000) part.fill(i, (seed >> 8) % 5000, (seed >> 4) % 20_000)
    parts.push(part)
    file.append(part)
  }
  file.append(new Uint8Array(10_000))
  file.finish()
  const expected = Buffer.concat([...parts, new Uint8Array(10_000)])
  t.equal(file.length, expected.length)
  t.ok(readFileSync(file.path).equals(expected))
  t.equal(statSync(file.path).mode & 0o777, 0o600)
})

t.test('gdb opens the unpacked core', { skip: skipFor('zstd') }, async (t) => {
  const program = compile(`
    #include <pthread.h>
    #include <stdio.h>
    #include <unistd.h>
    int marked = 42;
    void *here(void *x) { puts("ready"); fflush(stdout); for (;;) pause(); return x; }
    int main(void) { pthread_t t; pthread_create(&t, 0, here, 0); pthread_join(t, 0); return 0; }`)
  const running = await start(program)
  const core = gcore(running.pid, join(folder, 'real'))
  await running.kill()
  const { target, corePath } = await open(t, pack(core, PACKERS[1]!))
  const symbols = await openSymbols(target, { corePath: corePath! })
  t.teardown(() => symbols.close())
  const frames = [...(await symbols.backtraces(20)).values()].flat().map((frame) => frame.functionName)
  t.ok(frames.includes('here') && frames.includes('main'), 'stacks by gdb')
  t.same(symbols.warnings, [])
})

const HOLD = `
  const [, , module, path, end] = process.argv
  const { openTargetUnpacked } = await import(module)
  await openTargetUnpacked({ kind: 'core', path })
  if (end === 'throw') setTimeout(() => { throw new Error('uncaught') }, 10)
  process.on('SIGTERM', () => process.exit(143))
  console.log('open')
  setInterval(() => {}, 1000)
`

t.test('no end of the process leaves a file', async (t) => {
  const own = mkdtempSync(join(folder, 'tmp-'))
  const module = await bundle('src/target/open.ts')
  const script = join(folder, 'hold.mjs')
  writeFileSync(script, HOLD)
  const gz = join(folder, 'held.gz')
  writeFileSync(gz, gzipSync(readFileSync(plain), { level: 1 }))
  for (const [how, end] of [
    ['SIGTERM', (child: ChildProcess) => child.kill('SIGTERM')],
    ['SIGINT', (child: ChildProcess) => child.kill('SIGINT')],
    ['SIGKILL', (child: ChildProcess) => child.kill('SIGKILL')],
    ['throw', () => {}],
  ] as const) {
    const child = spawn(process.execPath, [script, module, gz, how], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { PATH: process.env.PATH, TMPDIR: own },
    })
    endWithUs(child)
    await nextOutput(child)
    const ended = once(child, 'exit')
    end(child)
    await ended
    t.same(readdirSync(own), [], how)
  }
})
