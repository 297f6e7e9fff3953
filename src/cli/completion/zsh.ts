// The zsh completion: _arguments for each command.
import type { CommandModel, OptionModel } from './model.js'

export function zshCompletion(commands: readonly CommandModel[]): string {
  const listed = commands
    .filter(({ name }) => name !== '')
    .map(({ name, description }) => `    ${quoted(`${name}:${description.replaceAll(':', '\\:')}`)}`)
  const cases = commands.map(({ name, options, arguments: own }) => {
    const choices = own.flatMap((argument) => argument.choices)
    const rest = choices.length > 0 ? `*: :(${choices.join(' ')})` : '*:file:_files'
    const specs = [...options.flatMap(specsOf), rest].map((spec) => `      ${quoted(spec)}`)
    return `    ${name === '' ? "''" : name}) _arguments -S \\\n${specs.join(' \\\n')} ;;`
  })
  return `#compdef arena-inspect
# zsh completion of arena-inspect: in a folder of $fpath as _arena-inspect, or source <(arena-inspect completion zsh)
_arena_inspect() {
  local -a commands
  commands=(
${listed.join('\n')}
  )
  local command='' word
  for word in \${words[2,CURRENT-1]}; do
    if (( \${commands[(I)\${word}:*]} )); then command=$word; break; fi
  done
  if [[ -z $command && $CURRENT -eq 2 && \${words[CURRENT]} != -* ]]; then
    _describe -t commands command commands
    _files
    return
  fi
  case $command in
${cases.join('\n')}
  esac
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _arena_inspect "$@"; else compdef _arena_inspect arena-inspect; fi
`
}

function specsOf(option: OptionModel): string[] {
  const text = `[${option.description.replace(/[[\]:]/g, '\\$&')}]`
  const value = !option.takesValue
    ? ''
    : option.choices.length > 0
      ? `:value:(${option.choices.join(' ')})`
      : option.isFile
        ? ':file:_files'
        : ':value: '
  return option.flags.map((flag) => `*${flag}${text}${value}`)
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
