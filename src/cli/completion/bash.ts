// The bash completion: a function that looks at the command, the option before the cursor, and completes files otherwise.
import type { CommandModel, OptionModel } from './model.js'

export function bashCompletion(commands: readonly CommandModel[]): string {
  const names = commands.flatMap(({ name }) => (name === '' ? [] : [name]))
  const cases = commands.map(({ name, options, arguments: own }) => {
    const flags = options.flatMap((option) => option.flags).join(' ')
    const choices = own.flatMap((argument) => argument.choices).join(' ')
    return `    ${name === '' ? "''" : name}) options='${flags}' words='${choices}' ;;`
  })
  return `# bash completion of arena-inspect: source <(arena-inspect completion bash)
_arena_inspect() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous='' command='' options='' words='' i
  ((COMP_CWORD > 0)) && previous=\${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      ${names.join('|')}) command=\${COMP_WORDS[i]}; break ;;
    esac
  done
  case $command in
${cases.join('\n')}
  esac
  case $command:$previous in
${valueCases(commands).join('\n')}
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
    return
  fi
  [[ -z $command && $COMP_CWORD -eq 1 ]] && words='${names.join(' ')}'
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current"; compgen -f -- "$current")
  compopt -o filenames 2>/dev/null
}
complete -F _arena_inspect arena-inspect
`
}

function valueCases(commands: readonly CommandModel[]): string[] {
  return commands.flatMap(({ name, options }) =>
    options
      .filter(({ takesValue }) => takesValue)
      .map((option) => {
        const flags = option.flags.map((flag) => `${name}:${flag}`).join('|')
        return `    ${flags}) ${valueText(option)}; return ;;`
      }),
  )
}

function valueText({ choices, isFile }: OptionModel): string {
  if (choices.length > 0) return `mapfile -t COMPREPLY < <(compgen -W '${choices.join(' ')}' -- "$current")`
  return isFile
    ? 'mapfile -t COMPREPLY < <(compgen -f -- "$current"); compopt -o filenames 2>/dev/null'
    : 'COMPREPLY=()'
}
