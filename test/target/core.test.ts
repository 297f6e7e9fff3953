// Real cores, from the kernel and from gdb's gcore, against gdb, /proc and the files that were mapped.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Address, address, hex, offset } from '../../src/memory/address.js'
import { readExactly, readWord } from '../../src/memory/memory-source.js'
import { permissionText, type Region } from '../../src/memory/region.js'
import { openCore } from '../../src/target/core/open-core.js'
import type { Target } from '../../src/target/target.js'
import { compile, gcore, kernelCore, kernelCores, type Running, scratch, start } from '../support/programs.js'

const SOURCE = `
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
const char constant[5000] = "text that only the program's file holds";
static void *wait_here(void *unused) { for (;;) pause(); return unused; }
int main(int argc, char **argv) {
  pthread_attr_t attributes; pthread_attr_init(&attributes); pthread_attr_setstacksize(&attributes, 65536);
  pthread_t thread; for (int i = 0; i < 3; i++) pthread_create(&thread, &attributes, wait_here, 0);
  char *block = malloc(100000); for (int i = 0; i < 100000; i++) block[i] = i * 7 + (i >> 8);
  char *touched = mmap(0, 40960, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(touched, 0x5a, 40960); mprotect(touched, 4096, PROT_NONE);
  int fd = open(argv[0], O_RDONLY);
  char *copy = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  printf("%p %p %p %p %p\\n", (void *)block, (void *)constant, (void *)touched, (void *)copy, (void *)main);
  fflush(stdout); for (;;) pause();
}`

interface Places {
  readonly block: Address
  readonly constant: Address
  readonly touched: Address
  readonly copy: Address
  readonly main: Address
}

function places(running: Running): Places {
  const [block, constant, touched, copy, main] = running.line.split(' ').map((text) => address(BigInt(text)))
  return { block: block!, constant: constant!, touched: touched!, copy: copy!, main: main! }
}

const folder = scratch()
const skip = kernelCores() ? false : 'this machine does not write kernel cores into the folder of the process'

function gdb(program: string, core: string, ...commands: string[]): string {
  const args = ['-nx', '-batch', ...commands.flatMap((command) => ['-ex', command]), program, core]
  return execFileSync('gdb', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
}

/** Bytes [at, at + length) as gdb reads them. */
function gdbBytes(program: string, core: string, at: Address, length: number): Buffer {
  const file = join(folder, 'dump')
  gdb(program, core, `dump binary memory ${file} ${hex(at)} ${hex(offset(at, length))}`)
  return readFileSync(file)
}

interface Mapping {
  readonly line: string
  readonly name: string
}

/** /proc/PID/maps as `start-end perms offset name`, permissions without the letter for sharing. */
function mapsOf(pid: number): Mapping[] {
  const lines = readFileSync(`/proc/${pid}/maps`, 'utf8').trim().split('\n')
  return lines.map((text) => {
    const [, range, permissions, fileOffset, name] = text.match(/^(\S+) (...). (\S+) \S+ \S+ *(.*)$/)!
    // A core does not tell [heap] from other anonymous memory, nor the kinds of kernel data.
    const known = name === '[heap]' ? '' : name!.replace('[vvar_vclock]', '[vvar]')
    return { line: `${range} ${permissions} ${fileOffset} ${known}`, name: known }
  })
}

function regionLine(region: Region): string {
  const range = `${region.start.toString(16).padStart(8, '0')}-${region.end.toString(16).padStart(8, '0')}`
  const fileOffset = region.fileOffset.toString(16).padStart(8, '0')
  return `${range} ${permissionText(region.permissions).slice(0, 3)} ${fileOffset} ${region.path ?? ''}`
}

function open(t: Test, path: string, options: Parameters<typeof openCore>[1] = {}): Target {
  const target = openCore(path, options)
  t.teardown(() => target.close())
  return target
}

/** tid → value of a register, by gdb. */
function registers(program: string, core: string, register: string): Map<number, bigint> {
  const text = gdb(program, core, `thread apply all p/x ${register}`)
  const found = text.matchAll(/LWP (\d+)\)*:\n(?:warning: .*\n)*\$\d+ = (0x[0-9a-f]+)/g)
  return new Map([...found].map(([, tid, value]) => [Number(tid), BigInt(value!)]))
}

function compareThreads(t: Test, target: Target, program: string, core: string): void {
  const threads = target.threads()
  t.equal(threads.length, 4)
  const of = (value: (thread: (typeof threads)[number]) => bigint | null) =>
    new Map([...threads].sort((a, b) => a.tid - b.tid).map((thread) => [thread.tid, value(thread)]))
  const sorted = (map: Map<number, bigint>) => new Map([...map].sort(([a], [b]) => a - b))
  t.same(
    of((thread) => thread.stackPointer),
    sorted(registers(program, core, '$sp')),
    'stack pointers',
  )
  t.same(
    of((thread) => thread.threadPointer),
    sorted(registers(program, core, '$fs_base')),
    'thread pointers',
  )
  for (const thread of threads) {
    t.equal(
      readWord(target.memory, thread.threadPointer!, 8),
      thread.threadPointer,
      'the TCB points at itself',
    )
    t.equal(thread.name === null, thread.tid !== target.pid, 'only the main thread has a name')
  }
}

function compareBytes(t: Test, target: Target, program: string, core: string, at: Places): void {
  const sp = target.threads()[1]!.stackPointer!
  const ranges: [string, Address, number][] = [
    ['heap', offset(at.block, -16), 100016],
    ['stack', sp, 256],
    ['constants', at.constant, 5000],
    ['code', at.main, 64],
    ['anonymous', offset(at.touched, 4096), 36864],
  ]
  for (const [name, start, length] of ranges) {
    const ours = Buffer.from(readExactly(target.memory, start, length))
    t.ok(ours.equals(gdbBytes(program, core, start, length)), `${name}: ${length} bytes as gdb reads them`)
  }
  const block = readExactly(target.memory, at.block, 100000)
  t.equal(
    block.findIndex((byte, i) => byte !== ((i * 7 + (i >> 8)) & 255)),
    -1,
    'the block is as the program filled it',
  )
}

/** The read-only data of libc's image, from the target and from the file that its module names. */
function compareLibc(t: Test, target: Target): void {
  const libc = target.modules().find((module) => module.path.includes('libc.so'))!
  t.equal(libc.file, libc.path)
  t.equal(libc.loadBias, libc.base)
  const file = readFileSync(libc.path)
  const headers = execFileSync('readelf', ['-lW', libc.path], { encoding: 'utf8' })
  const plain = headers.split('\n').filter((line) => /^ +LOAD .* (R|R E) +0x/.test(line))
  t.ok(plain.length >= 3)
  for (const line of plain) {
    const [at, virtual, , bytes] = line.trim().split(/\s+/).slice(1).map(Number)
    const ours = readExactly(target.memory, offset(libc.base, virtual!), bytes!)
    t.ok(
      Buffer.from(ours).equals(file.subarray(at, at! + bytes!)),
      `libc's segment at ${hex(BigInt(virtual!))}`,
    )
  }
}

t.test('a kernel core', { skip }, async (t) => {
  const program = compile(SOURCE)
  const running = await start(program, ['one', 'two'], { cwd: folder })
  const maps = mapsOf(running.pid)
  const core = await kernelCore(running, folder, 'kernel')
  const target = open(t, core)
  t.match(target, { kind: 'core', label: core, pid: running.pid, signal: 6, machine: 'x86_64', wordBytes: 8 })
  t.match(target, { pageBytes: 4096, executable: program, problems: [] })
  t.same(
    target.regions().map(regionLine),
    maps.map((mapping) => mapping.line),
    'regions are /proc/PID/maps',
  )
  compareThreads(t, target, program, core)
  compareBytes(t, target, program, core, places(running))
  compareLibc(t, target)
  const modules = target.modules()
  t.same(
    modules.filter((m) => m.isProgram).map((m) => m.path),
    [program],
  )
  const buildId = execFileSync('readelf', ['-n', program], { encoding: 'utf8' }).match(/Build ID: (\S+)/)![1]
  t.equal(modules.find((m) => m.isProgram)!.buildId, buildId)

  const at = places(running)
  const fault = target.memory.fault(at.touched)
  t.equal(
    target.memory.read(at.touched, new Uint8Array(8)),
    8,
    'a page that was written, then made PROT_NONE',
  )
  t.equal(fault.kind, 'io', 'asked about a byte that the file holds')
  t.equal(
    target.memory.read(at.copy, new Uint8Array(8192)),
    4096,
    'a writable mapping: the ELF header page only',
  )
  t.match(target.memory.fault(offset(at.copy, 4096)), {
    kind: 'unsaved',
    message: /not saved in the core file/,
  })
  t.equal(target.memory.read(address(4096), new Uint8Array(1)), 0)
  t.match(target.memory.fault(address(4096)), { kind: 'unmapped', address: 4096n })
  t.match(target.memory.fault(address(1n << 60n)), { kind: 'unmapped' })
  t.equal(target.residentBytes(at.block, offset(at.block, 4096)), 4096, 'the kernel saves what is in RAM')
})

t.test("gdb's gcore", async (t) => {
  const program = compile(SOURCE)
  const running = await start(program)
  const maps = mapsOf(running.pid)
  const core = gcore(running.pid, join(folder, 'gcore'))
  await running.kill()
  const target = open(t, core)
  t.match(target, { pid: running.pid, signal: null, executable: program, problems: [] })
  // gdb leaves kernel data out, and makes PROT_NONE readable and [vsyscall] too.
  const soften = (line: string) => line.replace(' --- ', ' r-- ').replace(' --x ', ' r-x ')
  t.same(
    target.regions().map((region) => soften(regionLine(region))),
    maps.filter((mapping) => mapping.name !== '[vvar]').map((mapping) => soften(mapping.line)),
    'regions are /proc/PID/maps',
  )
  compareThreads(t, target, program, core)
  compareBytes(t, target, program, core, places(running))
  compareLibc(t, target)
})

t.test('what the core was told not to save', { skip }, async (t) => {
  const program = compile(SOURCE)
  const running = await start(program, [], { cwd: folder })
  writeFileSync(`/proc/${running.pid}/coredump_filter`, '0x10')
  const core = await kernelCore(running, folder, 'headers-only')
  const target = open(t, core)
  const at = places(running)
  for (const [name, start] of Object.entries({ heap: at.block, anonymous: offset(at.touched, 4096) })) {
    t.equal(target.memory.read(start, new Uint8Array(16)), 0, `${name}: not one byte`)
    t.match(target.memory.fault(start), { kind: 'unsaved', address: start })
  }
  compareLibc(t, target)
  const writable = target.regions().filter((r) => r.permissions.write)
  t.ok(writable.length > 5)
  const readable = writable.filter((r) => target.memory.read(r.start, new Uint8Array(1)) !== 0)
  // The kernel saves the first page of any mapping that begins with an ELF header.
  t.same(
    readable.map((r) => r.start),
    [at.copy],
    'no writable memory is taken from files',
  )
  // Relocated data is read-only again at run time, but its bytes are not the file's.
  const relocated = target
    .regions()
    .filter((r, i, all) => r.path?.includes('libc.so') && all[i + 1]?.permissions.write)
  t.equal(relocated.filter((r) => !r.permissions.write).length, 1)
  for (const region of relocated) {
    for (let at = region.start; at < region.end; at = offset(at, 64)) {
      if (target.memory.read(at, new Uint8Array(1)) !== 0)
        t.fail(`${hex(at)} of ${regionLine(region)} is read`)
    }
  }
})

t.test('a core without even ELF headers', { skip }, async (t) => {
  const program = compile(SOURCE)
  const running = await start(program, [], { cwd: folder })
  writeFileSync(`/proc/${running.pid}/coredump_filter`, '0x1')
  const core = await kernelCore(running, folder, 'no-headers')
  const at = places(running)
  const target = open(t, core)
  const module = target.modules().find((m) => m.isProgram)!
  t.match(module, {
    path: program,
    buildId: null,
    loadBias: null,
    file: null,
    fileProblem: /did not save the build-id/,
  })
  t.equal(target.memory.read(at.constant, new Uint8Array(16)), 0)
  t.match(target.memory.fault(at.constant), { kind: 'unsaved', message: /did not save the build-id/ })
  const told = open(t, core, { program })
  t.match(
    told.modules().find((m) => m.isProgram),
    { buildId: null, loadBias: module.base, file: program },
  )
  t.equal(
    Buffer.from(readExactly(told.memory, at.constant, 39)).toString(),
    "text that only the program's file holds",
  )
})

/** An ELF file whose executable sections say that they have no bytes: a debug file as eu-strip makes it. */
function withoutCode(file: Buffer): Buffer {
  const sections = Number(file.readBigUInt64LE(40))
  for (let i = 0; i < file.readUInt16LE(60); i++) {
    const at = sections + 64 * i
    if (file.readBigUInt64LE(at + 8) & 4n) file.writeUInt32LE(8, at + 4)
  }
  return file
}

t.test('which file stands for the program', { skip }, async (t) => {
  const copy = join(folder, 'program')
  const cases = [
    { flags: [] as string[], buildId: true },
    { flags: ['-Wl,--build-id=none'], buildId: false },
  ]
  for (const { flags, buildId } of cases) {
    const kept = compile(SOURCE, flags)
    execFileSync('cp', [kept, copy])
    const running = await start(copy, [], { cwd: folder })
    const core = await kernelCore(running, folder, `moved-${buildId}`)
    execFileSync('rm', [copy])
    const at = places(running)
    const program = (target: Target) => target.modules().find((m) => m.isProgram)!
    const text = (target: Target) => target.memory.read(at.constant, new Uint8Array(16))

    const gone = open(t, core)
    t.match(program(gone), { path: copy, file: null, fileProblem: 'no such file here' })
    t.equal(text(gone), 0)
    t.match(gone.memory.fault(at.constant), { kind: 'unsaved', message: /no such file here/ })

    const told = open(t, core, { program: kept })
    t.match(program(told), { file: kept, fileProblem: null })
    t.same([text(told), told.problems], [16, []])

    const other = compile(SOURCE.replace('only the', 'just the'))
    const wrong = open(t, core, { program: other })
    t.match(program(wrong), { file: null, fileProblem: /^build-id differs: core / })
    t.match(wrong.problems, [/is not used: build-id differs/])
    t.equal(text(wrong), 0)

    const root = join(folder, 'root')
    execFileSync('mkdir', ['-p', join(root, folder)])
    execFileSync('cp', [kept, join(root, copy)])
    const inRoot = open(t, core, { sysroot: `${root}/` })
    t.equal(program(inRoot).file, join(root, copy))
    t.equal(text(inRoot), buildId ? 16 : 0, 'without a build-id a file is named, but its bytes are not used')

    const debugOnly = join(folder, 'program.debug')
    execFileSync('objcopy', ['--only-keep-debug', kept, debugOnly])
    const debug = open(t, core, { program: debugOnly })
    t.equal(program(debug).file, debugOnly, 'good for symbols')
    t.equal(text(debug), 0, 'but it holds no bytes')

    const hollow = join(folder, 'program.hollow')
    writeFileSync(hollow, withoutCode(readFileSync(kept)))
    t.equal(text(open(t, core, { program: hollow })), 0, 'nor does one that kept its program headers')
  }
})

t.test('a deleted program is found when it is there again', { skip }, async (t) => {
  const copy = join(folder, 'again')
  execFileSync('cp', [compile(SOURCE), copy])
  const running = await start(copy, [], { cwd: folder })
  execFileSync('rm', [copy])
  execFileSync('cp', [compile(SOURCE), copy])
  const core = await kernelCore(running, folder, 'deleted')
  const target = open(t, core)
  t.match(
    target.modules().find((m) => m.isProgram),
    { path: `${copy} (deleted)`, file: copy },
  )
})

t.test('a program linked at fixed addresses', { skip }, async (t) => {
  const program = compile(SOURCE, ['-no-pie'])
  const running = await start(program, [], { cwd: folder })
  const core = await kernelCore(running, folder, 'fixed')
  const target = open(t, core)
  t.match(
    target.modules().find((m) => m.isProgram),
    { loadBias: 0n, file: program },
  )
  compareBytes(t, target, program, core, places(running))
})

const SOURCE_32 = `
struct user_desc { unsigned entry, base, limit, flags; };
char tls[64] = "_hread";
static int call(int n, int a, int b, int c) {
  int r; __asm__ volatile("int $0x80" : "=a"(r) : "a"(n), "b"(a), "c"(b), "d"(c) : "memory"); return r;
}
void _start(void) {
  struct user_desc u = { -1u, (unsigned)tls, 0xfffff, 0x51 };
  call(243, (int)&u, 0, 0);
  __asm__ volatile("mov %0, %%gs" :: "r"(u.entry * 8 + 3));
  tls[0] = 't';
  call(4, 1, (int)"ready\\n", 6);
  for (;;) call(29, 0, 0, 0);
}`

t.test('a 32-bit core', { skip }, async (t) => {
  let running: Running
  try {
    const program = join(folder, 'program32')
    const flags = ['-m32', '-nostdlib', '-static', '-fno-pie', '-no-pie', '-fno-stack-protector', '-xc', '-']
    execFileSync('gcc', [...flags, '-o', program], { input: SOURCE_32 })
    running = await start(program, [], { cwd: folder })
  } catch (error) {
    t.pass('not run', {
      skip: `32-bit programs cannot be built and run here: ${String(error).split('\n')[0]}`,
    })
    return
  }
  const maps = mapsOf(running.pid)
  const core = await kernelCore(running, folder, 'i386')
  const target = open(t, core)
  t.match(target, { machine: 'i386', wordBytes: 4, pid: running.pid, signal: 6, problems: [] })
  t.same(
    target.regions().map(regionLine),
    maps.map((mapping) => mapping.line),
  )
  const [thread] = target.threads()
  t.equal(Buffer.from(readExactly(target.memory, thread!.threadPointer!, 6)).toString(), 'thread')
  const stack = target.regions().find((region) => region.path === '[stack]')!
  t.ok(thread!.stackPointer! >= stack.start && thread!.stackPointer! < stack.end)
})
