import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { type Address, address, hex, offset } from '../../src/memory/address.js'
import { readWord } from '../../src/memory/memory-source.js'
import { openCore } from '../../src/target/core/open-core.js'
import { libraryFolder } from '../../src/target/gdb/library-folder.js'
import { openSymbols, type SymbolsOptions, type SymbolsTarget } from '../../src/target/gdb/open-symbols.js'
import { packageRoot } from '../../src/target/gdb/package-root.js'
import { parsePtype } from '../../src/target/gdb/plain-commands.js'
import { scriptPath } from '../../src/target/gdb/script-path.js'
import { openLive } from '../../src/target/live/open-live.js'
import type { Module, Symbols, Target } from '../../src/target/target.js'
import {
  compile,
  gcore,
  kernelCore,
  kernelCores,
  ROOT,
  type Running,
  scratch,
  start,
} from '../support/programs.js'

const FOLDER = scratch()
const SCRIPT = join(ROOT, 'gdb-scripts', 'arena_inspect.py')
const TAGS = ['malloc_state', 'malloc_par', '_heap_info']

/** Output of plain gdb, as a user would run it. */
function gdb(args: readonly string[], commands: readonly string[]): string {
  const executed = commands.flatMap((command) => ['-ex', command])
  return execFileSync('gdb', ['-nx', '-q', '-batch', '-iex', 'set auto-load off', ...args, ...executed], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 1 << 28,
  })
}

/** A program in place of gdb, made of shell. */
function wrapper(name: string, body: string): string {
  const path = join(FOLDER, name)
  writeFileSync(path, `#!/bin/sh\n${body}\n`)
  chmodSync(path, 0o755)
  return path
}

async function symbolsOf(t: Test, target: SymbolsTarget, options: SymbolsOptions = {}): Promise<Symbols> {
  const symbols = await openSymbols(target, options)
  t.teardown(() => symbols.close())
  return symbols
}

function opened<T extends Target>(t: Test, target: T): T {
  t.teardown(() => target.close())
  return target
}

/** `x/COUNTa START` as gdb's own lines, from our bytes and our names. */
async function dump(target: Target, symbols: Symbols, start: Address, count: number): Promise<string[]> {
  const words: bigint[] = []
  for (let i = 0; i < count; i++) words.push(readWord(target.memory, offset(start, i * 8), 8))
  const rows = words.flatMap((_, i) => (i % 2 === 0 ? [offset(start, i * 8)] : []))
  const names = await symbols.nearest([...rows, ...words.map(address)])
  const show = (value: bigint, name: string | null | undefined) => hex(value) + (name ? ` <${name}>` : '')
  return rows.map((row, i) => {
    const cells = [2 * i, 2 * i + 1].filter((k) => k < count)
    return `${show(row, names[i])}:\t${cells.map((k) => show(words[k]!, names[rows.length + k])).join('\t')}`
  })
}

function examined(program: string, core: string, start: Address, count: number): string[] {
  return gdb([program, `-core=${core}`], [`x/${count}a ${hex(start)}`])
    .split('\n')
    .filter((line) => /^0x[0-9a-f]+( <.*>)?:\t/.test(line))
}

/** Samples of everything that is mapped: what is in files is taken word by word at the edges, and at random. */
function samples(target: Target, count: number): Address[] {
  let seed = 12345
  const random = () => {
    seed = (seed * 1103515245 + 12345) % 2147483648
    return seed / 2147483648
  }
  const found: Address[] = [0n, 1n, 0xdeadbeefn, (1n << 64n) - 1n, 0x41414141n].map(address)
  for (const region of target.regions()) {
    if (region.path === null && random() < 0.8) continue
    const size = Number(region.end - region.start)
    for (let i = 0; i < count; i++) found.push(offset(region.start, Math.floor(random() * size)))
    for (let at = 0; at < 400; at += 8) {
      found.push(offset(region.start, at))
      found.push(offset(region.end, -at))
    }
  }
  return found
}

let program: string
let running: Running
let core: string

t.before(async () => {
  program = join(FOLDER, 'arena bloat "x"')
  copyFileSync(compile('examples/programs/arena-bloat.c'), program)
  running = await start(program, ['16', '2', '10', 'log:16:4096', join(FOLDER, 'out')], { cwd: FOLDER })
  core = gcore(running.pid, join(FOLDER, '1234'))
})

t.teardown(() => running?.kill())

t.test('addresses and layouts are gdb’s own, of a core and of a live process', async (t) => {
  const shown = gdb(
    [program, `-core=${core}`],
    ['output/x (long)&main_arena', 'echo \\n', 'output/x (long)&mp_', 'echo \\n'],
  )
  const [arena, par] = shown.match(/^0x[0-9a-f]+$/gm)!
  const expressions = TAGS.flatMap((tag) => [`output sizeof(struct ${tag})`, 'echo \\n'])
  const sizes = gdb([program, `-core=${core}`], expressions)
    .match(/^\d+$/gm)!
    .map(Number)
  for (const target of [opened(t, openCore(core)), opened(t, openLive(running.pid))]) {
    const symbols = await symbolsOf(t, target)
    const found = await symbols.addressesOf(['main_arena', 'mp_', 'roots', 'no_such', 'a b', 'narenas'])
    t.equal(hex(found.get('main_arena')!), arena)
    t.equal(hex(found.get('mp_')!), par)
    t.same([...found.keys()].sort(), ['main_arena', 'mp_', 'narenas'])
    const layouts = await symbols.layoutsOf([...TAGS, 'no_such', 'a b'])
    t.same([...layouts.keys()], TAGS)
    t.same(
      [...layouts.values()].map((layout) => layout.sizeBytes),
      sizes,
    )
    const fields = [...layouts].flatMap(([tag, layout]) =>
      [...layout.offsets].map(([member, at]) => ({ tag, member, at })),
    )
    const printed = fields.flatMap(({ tag, member }) => [
      `output (long)&((struct ${tag} *)0)->${member}`,
      'echo \\n',
    ])
    t.same(
      fields.map(({ at }) => at),
      gdb([program, `-core=${core}`], printed)
        .match(/^\d+$/gm)!
        .map(Number),
    )
    t.same(symbols.warnings, [])
  }
})

t.test('nearest() is gdb’s /a, word for word', async (t) => {
  const target = opened(t, openCore(core))
  const symbols = await symbolsOf(t, target)
  const arena = (await symbols.addressesOf(['main_arena'])).get('main_arena')!
  const thread = target.threads().at(-1)!
  const heap = target.regions().find((region) => region.path === '[heap]')?.start ?? offset(arena, 0)
  const main = target.modules().find((module) => module.isProgram)!
  for (const at of [
    arena,
    offset(arena, -64),
    offset(thread.stackPointer!, -256),
    target.threads()[0]!.stackPointer!,
    main.base,
    offset(main.base, 0x5000),
    heap,
  ]) {
    const aligned = address(at & ~7n)
    t.same(await dump(target, symbols, aligned, 200), examined(program, core, aligned, 200), hex(aligned))
  }
})

t.test('a live process gets the names its core gets, and is never attached to', async (t) => {
  const live = opened(t, openLive(running.pid))
  const traced: string[] = []
  const watch = setInterval(() => {
    traced.push(readFileSync(`/proc/${running.pid}/status`, 'utf8').match(/TracerPid:\t(\d+)/)![1]!)
  }, 5)
  const ofLive = await symbolsOf(t, live)
  const ofCore = await symbolsOf(t, opened(t, openCore(core)))
  const asked = samples(live, 20)
  const named = await ofLive.nearest(asked)
  const expected = await ofCore.nearest(asked)
  t.same(await ofLive.backtraces(5), new Map())
  clearInterval(watch)
  t.ok(named.filter(Boolean).length > 500, `${named.filter(Boolean).length} of ${asked.length} have names`)
  const differ = asked.flatMap((at, i) =>
    named[i] === expected[i] ? [] : [[hex(at), named[i], expected[i]]],
  )
  t.same(differ, [])
  t.ok(
    named.some((name) => name?.startsWith('clock_gettime')),
    'functions of the vdso too',
  )
  t.same([...new Set(traced)], ['0'])
  t.same(ofLive.warnings, [])
})

t.test('backtraces of all threads, as plain gdb has them', async (t) => {
  const target = opened(t, openCore(core))
  const symbols = await symbolsOf(t, target)
  const stacks = await symbols.backtraces(30)
  t.same(
    [...stacks.keys()].sort(),
    target
      .threads()
      .map((thread) => thread.tid)
      .sort(),
  )
  const main = stacks.get(running.pid)!
  t.equal(main.at(-1)?.functionName, 'main')
  t.ok(main.some((frame) => frame.functionName === 'main' && /:\d+$/.test(frame.source ?? '')))
  const shown = gdb([program, `-core=${core}`], ['thread apply all -q -s backtrace 30'])
  const frames = [...stacks.values()].flat()
  t.equal(
    frames.length,
    shown.match(/^#\d+ .* (in|at|from) /gm)!.length - 1,
    'gdb also prints one frame at start',
  )
  t.ok([...(await symbols.backtraces(2)).values()].every((frames) => frames.length === 2))
})

t.test('a gdb without Python gives the same answers', async (t) => {
  const gdbPath = wrapper('gdb-without-python', `gdb "$@" | sed -u 's/,"python"//'`)
  for (const target of [opened(t, openCore(core)), opened(t, openLive(running.pid))]) {
    const plain = await symbolsOf(t, target, { gdbPath })
    const full = await symbolsOf(t, target)
    const names = ['main_arena', 'mp_', 'no_such']
    t.same(await plain.addressesOf(names), await full.addressesOf(names))
    t.same(await plain.layoutsOf(TAGS), await full.layoutsOf(TAGS))
    const asked = samples(target, 1).slice(0, 60)
    t.same(await plain.nearest(asked), await full.nearest(asked))
    t.same(await plain.backtraces(9), await full.backtraces(9))
  }
})

t.test(
  'a kernel core',
  { skip: kernelCores() ? false : 'core_pattern gives no plain files here' },
  async (t) => {
    const folder = join(FOLDER, 'kernel')
    mkdirSync(folder)
    const other = await start(program, ['3', '1', '10', 'log:16:4096', join(folder, 'out')], { cwd: folder })
    const file = await kernelCore(other, folder, 'core.kernel')
    const target = opened(t, openCore(file))
    const symbols = await symbolsOf(t, target)
    const arena = (await symbols.addressesOf(['main_arena'])).get('main_arena')!
    t.same(await dump(target, symbols, arena, 300), examined(program, file, arena, 300))
    t.ok([...(await symbols.backtraces(30)).values()].flat().some((frame) => frame.functionName === 'main'))
    const shown = gdb(['-x', SCRIPT, program, `-core=${file}`], ['arenas', 'regions'])
    t.match(shown, /^total +\d+/m)
  },
)

t.test('a static program', async (t) => {
  const single = compile(
    '#include <stdlib.h>\n#include <stdio.h>\n#include <unistd.h>\n' +
      'int main(void){ void *volatile p = malloc(100); (void)p; puts("ready"); fflush(stdout); for(;;) pause(); }',
    ['-static'],
  )
  const other = await start(single)
  t.teardown(() => other.kill())
  const target = opened(t, openLive(other.pid))
  const symbols = await symbolsOf(t, target)
  const expected = execFileSync('nm', [single], { encoding: 'utf8' }).match(/^([0-9a-f]+) . main_arena$/m)![1]
  const found = (await symbols.addressesOf(['main_arena'])).get('main_arena')
  t.equal(found, target.modules()[0]!.loadBias! + BigInt(`0x${expected}`))
  t.same(await symbols.nearest([offset(found!, 96)]), ['main_arena+96'])
})

t.test('what is missing is said, and nothing rejects', async (t) => {
  const target = opened(t, openCore(core))
  const asks = async (symbols: Symbols) => {
    t.equal((await symbols.addressesOf(['main_arena'])).size, 0)
    t.equal((await symbols.layoutsOf(TAGS)).size, 0)
  }
  const stripped = wrapper('gdb-without-debug', `exec gdb -iex 'set debug-file-directory /nonexistent' "$@"`)
  const noDebug = await symbolsOf(t, target, { gdbPath: stripped })
  await asks(noDebug)
  t.same(noDebug.warnings, ['no debug symbols of malloc for libc.so.6 (apt-get install libc6-dbg)'])
  for (const [gdbPath, warning] of [
    ['/nonexistent/gdb', /gdb not found: .*apt-get install gdb/],
    ['/bin/true', /gdb ended with code 0/],
    [wrapper('gdb-dies', `printf '(gdb) \\n'; read -r line; exit 7`), /gdb ended with code 7/],
    [wrapper('gdb-hangs', 'exec sleep 30'), /no prompt within 500 ms/],
  ] as const) {
    const symbols = await symbolsOf(t, target, { gdbPath, timeoutMs: 500 })
    await asks(symbols)
    t.same(await symbols.nearest([address(1)]), [null])
    t.same(await symbols.backtraces(3), new Map())
    t.match(symbols.warnings.join('\n'), warning)
    await symbols.close()
    await asks(symbols)
  }
})

t.test('another build of libc on this machine is not taken for the core’s', async (t) => {
  const real = opened(t, openCore(core))
  const modules = real
    .modules()
    .map((m): Module => (/libc\.so/.test(m.path) ? { ...m, file: null, fileProblem: 'build-id differs' } : m))
  const target: SymbolsTarget = {
    kind: 'core',
    label: core,
    machine: real.machine,
    memory: real.memory,
    regions: () => real.regions(),
    modules: () => modules,
  }
  const arena = (await (await symbolsOf(t, real)).addressesOf(['main_arena'])).get('main_arena')!
  const program = modules.find((m) => m.isProgram)!
  const symbols = await symbolsOf(t, target)
  t.equal((await symbols.addressesOf(['main_arena'])).size, 0)
  t.match(symbols.warnings, ['no symbols for malloc: libc.so.6: build-id differs'])
  const entry = execFileSync('nm', [program.file!], { encoding: 'utf8' }).match(/^([0-9a-f]+) T main$/m)![1]
  const main = address(program.loadBias! + BigInt(`0x${entry}`))
  t.same(await symbols.nearest([arena, main]), [null, 'main'])
  t.equal((await symbols.backtraces(20)).size, real.threads().length)
})

t.test('libraries that lie elsewhere on this machine', async (t) => {
  const real = opened(t, openCore(core))
  t.equal(libraryFolder(real.modules()), null)
  const elsewhere = join(FOLDER, 'else where')
  mkdirSync(elsewhere)
  const modules = real.modules().map((module): Module => {
    if (module.isProgram) return module
    const file = join(elsewhere, basename(module.path))
    copyFileSync(module.path, file)
    return { ...module, path: module.path.replace('/usr/', '/nowhere/'), file }
  })
  const target: SymbolsTarget = {
    kind: 'core',
    label: core,
    machine: real.machine,
    memory: real.memory,
    regions: () => real.regions(),
    modules: () => modules,
  }
  const here = await symbolsOf(t, real)
  const there = await symbolsOf(t, target)
  const asked = samples(real, 1)
  t.same(await there.nearest(asked), await here.nearest(asked))
  t.same(await there.backtraces(10), await here.backtraces(10))
})

t.test('ptype /o of nested and odd structs', async (t) => {
  const text = `/* offset      |    size */  type = struct s {
/*      0      |       4 */    int a;
/*      4: 0   |       4 */    unsigned int bit : 3;
/* XXX  4-byte hole      */
/*      8      |      16 */    union {
/*                     8 */        long inner;
/*                    16 */        struct {
/*      8      |       8 */            long deep;
/*     16      |       8 */            long deeper;

                                       /* total size:   16 bytes */
                                   };

                                   /* total size:   16 bytes */
                               } u;
/*     24      |       8 */    struct malloc_state *next;
/*     32      |      80 */    struct chunk *bins[10];
/*    112      |       8 */    void (*hook)(int);

                               /* total size (bytes):  120 */
                             }
`
  const layout = parsePtype(text)!
  t.equal(layout.sizeBytes, 120)
  t.same(Object.fromEntries(layout.offsets), { a: 0, u: 8, next: 24, bins: 32, hook: 112, bit: 4 })
  t.equal(parsePtype('No struct type named nope.'), null)
})

t.test('the script by hand: arenas is malloc_stats, regions is the address space', async (t) => {
  t.equal(scriptPath('arena_inspect.py'), SCRIPT)
  t.equal(packageRoot('file:///usr/lib/x.js'), null)
  const stats = [
    ...readFileSync(join(FOLDER, 'out.malloc_stats.txt'), 'utf8').matchAll(
      /(system|in use) bytes +=\s+(\d+)/g,
    ),
  ]
  const shown = gdb(['-x', SCRIPT, program, `-core=${core}`], ['arenas', 'regions'])
  const rows = [...shown.matchAll(/^ *(\d+|total) +(?:0x[0-9a-f]+ +\S+ +)?(\d+) +(\d+) +(\d+)$/gm)]
  const figures = rows.filter((row) => row[1] === 'total' || row[0].includes('0x')).slice(0, 17)
  t.equal(figures.length, 17)
  t.same(
    figures.flatMap((row) => [row[2], row[3]]),
    stats.map((line) => line[2]),
  )
  for (const row of figures) t.equal(Number(row[3]) + Number(row[4]), Number(row[2]))
  const memory = /^total +(\d+) +(\d+)$/m.exec(shown)!
  const segments = execFileSync('readelf', ['-lW', core], { encoding: 'utf8' }).match(/^ +LOAD .*/gm)!
  t.equal(Number(memory[1]), segments.length)
  t.equal(
    Number(memory[2]),
    segments.reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[5]), 0),
  )
  const nothing = gdb(
    ['-x', SCRIPT],
    ['arenas', 'regions'].map((c) => `python\ntry: gdb.execute("${c}")\nexcept gdb.error as e: print(e)\n`),
  )
  t.equal(nothing.match(/nothing to look at/g)?.length, 2)
  const noDebug = gdb(
    ['-iex', 'set debug-file-directory /nonexistent', '-x', SCRIPT, program, `-core=${core}`],
    ['python\ntry: gdb.execute("arenas")\nexcept gdb.error as e: print(e)\n'],
  )
  t.match(noDebug, /no debug symbols for malloc in .*libc6-dbg/s)
})
