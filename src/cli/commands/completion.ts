// `arena-inspect completion` and the hidden `man`: written from the definitions of the commands themselves.
import type { Command } from 'commander'
import { Argument } from 'commander'
import { bashCompletion } from '../completion/bash.js'
import { fishCompletion } from '../completion/fish.js'
import { manPage } from '../completion/man-page.js'
import { modelOf } from '../completion/model.js'
import { zshCompletion } from '../completion/zsh.js'
import { output } from '../finish.js'
import { packageVersion } from '../package-version.js'

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }

export function addCompletion(root: Command): void {
  root
    .command('completion')
    .description("prints a shell's completion of arena-inspect")
    .addArgument(new Argument('<shell>', 'which shell').choices(Object.keys(SHELLS)))
    .addHelpText(
      'after',
      '\nExamples:\n  source <(arena-inspect completion bash)\n' +
        '  arena-inspect completion fish > ~/.config/fish/completions/arena-inspect.fish\n',
    )
    .action((shell: keyof typeof SHELLS) => output(SHELLS[shell](modelOf(root))))
  root
    .command('man', { hidden: true })
    .description('the man page, as the package has it')
    .action(() => output(manPage(modelOf(root), packageVersion())))
}
