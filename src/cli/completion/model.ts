// Commands and options of the command line as shell completions and the man page tell them, from commander's definitions.
import type { Argument, Command, Option } from 'commander'

export interface OptionModel {
  /** `-o`, `--output`. */
  readonly flags: readonly string[]
  /** As help shows it: `-o, --output <file>`. */
  readonly usage: string
  readonly description: string
  readonly takesValue: boolean
  readonly choices: readonly string[]
  /** The value is a file or folder. */
  readonly isFile: boolean
  readonly default: string | null
}

export interface CommandModel {
  /** Empty for the bare command. */
  readonly name: string
  readonly usage: string
  readonly description: string
  readonly options: readonly OptionModel[]
  readonly arguments: readonly {
    readonly name: string
    readonly description: string
    readonly choices: readonly string[]
  }[]
  /** Lines. */
  readonly examples: readonly string[]
}

/** Values of options that are files by the name of their placeholder. */
const FILES = /<(file|folder|dir|path)>/

/** The bare command first, then the visible commands in their order. */
export function modelOf(root: Command): readonly CommandModel[] {
  const visible = root.createHelp().visibleCommands(root)
  return [root, ...visible.filter((command) => command.name() !== 'help')].map((command) =>
    commandModel(command, root),
  )
}

function commandModel(command: Command, root: Command): CommandModel {
  const help = command.createHelp()
  return {
    name: command === root ? '' : command.name(),
    usage: help.commandUsage(command),
    description: command.description(),
    options: help.visibleOptions(command).map(optionModel),
    arguments: command.registeredArguments.map((argument: Argument) => ({
      name: argument.name(),
      description: argument.description,
      choices: argument.argChoices ?? [],
    })),
    examples: examplesOf(command),
  }
}

function optionModel(option: Option): OptionModel {
  const isShown = typeof option.defaultValue === 'string' || Array.isArray(option.defaultValue)
  return {
    flags: [option.short, option.long].filter((flag) => flag !== undefined),
    usage: option.flags,
    description: option.description,
    takesValue: option.required || option.optional,
    choices: option.argChoices ?? [],
    isFile: FILES.test(option.flags),
    default: isShown ? String(option.defaultValue) : null,
  }
}

// commander has the text after the help only inside of the whole help.
function examplesOf(command: Command): string[] {
  let text = ''
  const { writeOut } = command.configureOutput()
  const take = (part: string) => {
    text += part
  }
  command.configureOutput({ writeOut: take }).outputHelp()
  command.configureOutput({ writeOut: writeOut! })
  const at = text.indexOf('\nExamples:\n')
  if (at < 0) return []
  const lines = text
    .slice(at)
    .split('\n')
    .filter((line) => line.startsWith('  '))
  return lines.map((line) => line.trim())
}
