// The fish completion: a `complete` for each command and option.
import type { CommandModel, OptionModel } from './model.js'

export function fishCompletion(commands: readonly CommandModel[]): string {
  const names = commands.flatMap(({ name }) => (name === '' ? [] : [name]))
  const lines = commands.flatMap(({ name, description, options, arguments: own }) => {
    const none = `__fish_use_subcommand ${names.join(' ')}`
    const on = quoted(name === '' ? none : `__fish_seen_subcommand_from ${name}`)
    const choices = own.flatMap((argument) => argument.choices)
    return [
      ...(name === ''
        ? []
        : [`complete -c arena-inspect -n ${quoted(none)} -a ${name} -d ${quoted(description)}`]),
      ...(choices.length > 0
        ? [`complete -c arena-inspect -n ${on} -f -a ${quoted(choices.join(' '))}`]
        : []),
      ...options.map((option) => `complete -c arena-inspect -n ${on} ${optionText(option)}`),
    ]
  })
  return `# fish completion of arena-inspect: arena-inspect completion fish | source\n${lines.join('\n')}\n`
}

function optionText({ flags, description, takesValue, choices, isFile }: OptionModel): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`))
  const value =
    choices.length > 0
      ? [`-x -a ${quoted(choices.join(' '))}`]
      : isFile
        ? ['-r -F']
        : takesValue
          ? ['-x']
          : []
  return [...names, ...value, `-d ${quoted(description)}`].join(' ')
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
