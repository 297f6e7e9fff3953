// The man page in man(7): the bare command, each command with its options and examples, exit codes, files.
import type { CommandModel, OptionModel } from './model.js'

const EXIT_CODES = [
  ['0', 'done'],
  ['1', 'could not; a line on stderr says why, and what to do next'],
  ['2', 'wrong usage, of the command line or the config file'],
  ['3', 'done, and a finding reached --fail-on'],
  ['4', 'done in part: under --strict; batch: some cores failed'],
  ['129, 130, 143', 'ended by SIGHUP, SIGINT, SIGTERM'],
] as const

/** The page of `commands`, the bare one first. */
export function manPage(commands: readonly CommandModel[], version: string): string {
  const [bare, ...others] = commands
  const lines = [
    `.TH ARENA\\-INSPECT 1 "" "arena\\-inspect ${roff(version)}" "User Commands"`,
    '.SH NAME',
    'arena\\-inspect \\- where did the memory go? glibc malloc arenas of a core file or a live process',
    '.SH SYNOPSIS',
    ...[bare!, ...others].flatMap(({ usage }) => [`.B ${roff(usage)}`, '.br']).slice(0, -1),
    '.SH DESCRIPTION',
    roff(bare!.description),
    '.PP',
    'On a terminal the bare command opens the target in a full screen; otherwise it writes the report as text.',
    'Whatever changes a process says what it will run inside it, and asks.',
    ...bare!.options.flatMap(optionLines),
    '.SH COMMANDS',
    ...others.flatMap(commandLines),
    '.SH EXIT STATUS',
    ...EXIT_CODES.flatMap(([code, meaning]) => ['.TP', `.B ${code}`, roff(meaning)]),
    '.SH FILES',
    '.TP',
    '.I .arena\\-inspect.json',
    'in the working directory: failOn, thresholds and rulesOff; \\-\\-no\\-config leaves it out.',
    '.SH ENVIRONMENT',
    '.TP',
    '.B NO_COLOR',
    'No colour.',
    '.SH EXAMPLES',
    ...bare!.examples.flatMap(exampleLines),
    '.SH SEE ALSO',
    '.BR malloc (3),',
    '.BR mallopt (3),',
    '.BR malloc_info (3),',
    '.BR malloc_trim (3),',
    '.BR core (5),',
    '.BR gdb (1)',
  ]
  return `${lines.join('\n')}\n`
}

function commandLines({ name, description, arguments: own, options, examples }: CommandModel): string[] {
  return [
    `.SS ${roff(name)}`,
    roff(description),
    ...own.flatMap((argument) => [
      '.TP',
      `.I ${roff(argument.name)}`,
      roff(argument.description || argument.choices.join(', ')),
    ]),
    ...options.flatMap(optionLines),
    ...(examples.length > 0 ? ['.PP', 'Examples:', ...examples.flatMap(exampleLines)] : []),
  ]
}

function optionLines({ usage, description, choices, default: value }: OptionModel): string[] {
  const more = [
    ...(choices.length > 0 ? [`one of ${choices.join(', ')}`] : []),
    ...(value === null || value === '' ? [] : [`default ${value}`]),
  ]
  return [
    '.TP',
    `.B ${roff(usage)}`,
    roff(description) + (more.length > 0 ? ` (${roff(more.join('; '))})` : ''),
  ]
}

function exampleLines(example: string): string[] {
  return ['.RS 4', '.nf', roff(example), '.fi', '.RE']
}

// A backslash, a dash and a leading control character mean something to roff.
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(['.])/, '\\&$1')
}
