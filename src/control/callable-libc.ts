// The functions of glibc that are called inside a process, by address: from what libc exports, no debug information.
import { libcModule } from '../malloc/detect/libc.js'
import { type Address, address } from '../memory/address.js'
import { dynamicSymbols } from '../target/elf/dynamic-symbols.js'
import type { ElfSymbol } from '../target/elf/elf-symbol.js'
import { fileSymbols } from '../target/elf/file-symbols.js'
import type { Module, Target } from '../target/target.js'
import { Refusal } from './refusal.js'

/** What is used of libc, and the other names that some builds have it under. */
const NAMES = {
  malloc_stats: ['malloc_stats', '__malloc_stats'],
  malloc_info: ['malloc_info', '__malloc_info'],
  malloc_trim: ['malloc_trim', '__malloc_trim'],
  mallopt: ['mallopt', '__libc_mallopt'],
  mmap: ['mmap', '__mmap'],
  munmap: ['munmap', '__munmap'],
  raise: ['raise', 'gsignal'],
  sigprocmask: ['sigprocmask', '__sigprocmask', 'pthread_sigmask', '__pthread_sigmask'],
  _IO_2_1_stderr_: ['_IO_2_1_stderr_'],
} as const

export type CallableName = keyof typeof NAMES

/** Used where they are; a static program need not have them. */
const OPTIONAL_NAMES = {
  flockfile: ['flockfile', '_IO_flockfile'],
  funlockfile: ['funlockfile', '_IO_funlockfile'],
} as const

/** Functions of malloc/malloc.c and what it includes, exported or, in a static program, local. */
const MALLOC_FUNCTION =
  /^(__libc_)?(malloc|free|calloc|realloc|reallocarray|memalign|valloc|pvalloc|mallopt|mallinfo2?)$|^(__)?(aligned_alloc|posix_memalign|malloc_(trim|stats|info|usable_size|get_state|set_state))$|^_int_(malloc|free|realloc|memalign)|^(sysmalloc|systrim|unlink_chunk|malloc_consolidate|ptmalloc_init|arena_get|reused_arena|get_free_list|heap_trim|new_heap|alloc_new_heap|grow_heap|shrink_heap|detach_arena|tcache_|mremap_chunk|munmap_chunk|int_mallinfo)/
/** malloc.o is far smaller; a namesake elsewhere does not stretch it. */
const NEAR_BYTES = 0x20000n

export interface CallableLibc {
  readonly functions: Readonly<
    Record<CallableName, Address> & Partial<Record<keyof typeof OPTIONAL_NAMES, Address>>
  >
  /** [start, end) of malloc's code, generously: up to the functions of others on either side. */
  readonly mallocText: readonly [Address, Address]
  /** The variable `stderr`, which a program may hold a copy of. */
  readonly stderrVariable: Address
  /** `_IO_file_jumps`; null where it is not exported. */
  readonly fileJumps: Address | null
  /** `__libc_single_threaded` (≥ 2.32); null where it is not exported. */
  readonly singleThreaded: Address | null
}

/** Finds them; throws a Refusal that says what is missing. */
export function findCallable(target: Target): CallableLibc {
  const { module, symbols } = symbolsOf(target)
  const bias = module.loadBias ?? 0n
  const at = (symbol: ElfSymbol) => address(BigInt.asUintN(64, symbol.value + bias))
  const find = (names: readonly string[]) => {
    const name = names.find((candidate) => symbols.has(candidate))
    return name === undefined ? null : at(symbols.get(name)!)
  }
  const functions: Record<string, Address> = {}
  for (const [name, names] of Object.entries(NAMES)) {
    const found = find(names)
    if (found === null) throw noSymbol(`${module.path} has no symbol ${name}`)
    functions[name] = found
  }
  for (const [name, names] of Object.entries(OPTIONAL_NAMES)) {
    const found = find(names)
    if (found !== null) functions[name] = found
  }
  const range = mallocText(symbols)
  const stderr = programsStderr(target) ?? find(['stderr'])
  if (!range || !stderr) throw noSymbol(`${module.path} has no symbol ${range ? 'stderr' : 'malloc'}`)
  return {
    functions: functions as CallableLibc['functions'],
    mallocText: [address(range[0] + bias), address(range[1] + bias)],
    stderrVariable: stderr,
    fileJumps: find(['_IO_file_jumps']),
    singleThreaded: find(['__libc_single_threaded']),
  }
}

function symbolsOf(target: Target): { module: Module; symbols: ReadonlyMap<string, ElfSymbol> } {
  const libc = libcModule(target)
  if (libc) {
    const symbols = exportsOf(target, libc)
    if (symbols) return { module: libc, symbols }
    throw noSymbol(`the dynamic symbols of ${libc.path} cannot be read`)
  }
  const program = target.modules().find((module) => module.isProgram)
  const symbols = program?.file ? fileSymbols(program.file) : null
  if (program && symbols) return { module: program, symbols }
  throw noSymbol(`there is no libc.so.6 in it, and ${program?.path ?? 'the program'} has no symbol table`)
}

function exportsOf(target: Target, module: Module): ReadonlyMap<string, ElfSymbol> | null {
  if (module.loadBias === null) return null
  const image = { base: module.base, bias: module.loadBias, wordBytes: target.wordBytes }
  return dynamicSymbols(target.memory, image)
}

// A program that is not position independent has its own copy of the variable, and libc then uses that one.
function programsStderr(target: Target): Address | null {
  const program = target.modules().find((module) => module.isProgram)
  const own = program && exportsOf(target, program)?.get('stderr')
  return own?.kind === 'object' ? address(own.value + program!.loadBias!) : null
}

/** [start, end) of malloc.o among the functions of a table, without the load bias; null when malloc is not there. */
export function mallocText(symbols: ReadonlyMap<string, ElfSymbol>): readonly [bigint, bigint] | null {
  const malloc = symbols.get('malloc') ?? symbols.get('__libc_malloc')
  if (!malloc) return null
  const functions = [...symbols.values()]
    .filter(({ kind, value }) => kind === 'function' && near(value, malloc.value))
    .sort((a, b) => (a.value < b.value ? -1 : a.value > b.value ? 1 : 0))
  const own = functions.filter(({ name }) => MALLOC_FUNCTION.test(name))
  const [first, last] = [own[0]!, own.at(-1)!]
  const before = functions.findLast(({ value }) => value < first.value)
  const after = functions.find(({ value }) => value > last.value)
  return [
    before ? before.value + BigInt(before.sizeBytes) : first.value,
    after?.value ?? last.value + BigInt(last.sizeBytes),
  ]
}

function near(a: bigint, b: bigint): boolean {
  return (a < b ? b - a : a - b) < NEAR_BYTES
}

function noSymbol(what: string): Refusal {
  return new Refusal(
    'no-symbol',
    `glibc's functions cannot be called by name: ${what}`,
    'arena-inspect report reads the process without a call',
  )
}
