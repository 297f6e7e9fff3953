// How findings are judged: --fail-on, --threshold, --rule-off, and the config file. The command line wins over the file.
import { type Command, Option } from 'commander'
import type { Severity } from '../findings/finding.js'
import type { RuleSettings } from '../findings/thresholds.js'
import { type Config, readConfig, readLocalConfig, SEVERITIES } from './config-file.js'
import { UsageError } from './exit.js'
import { ruleNamed, thresholdOf } from './rule-settings.js'
import { say } from './terminal.js'

export interface RuleOptions {
  readonly failOn?: Severity
  readonly threshold?: readonly string[]
  readonly ruleOff?: readonly string[]
  /** False: no file is read. */
  readonly config?: string | false
}

/** What a command goes by. */
export interface Judgement {
  readonly failOn: Severity | null
  /** Undefined: the defaults. */
  readonly rules: RuleSettings | undefined
}

/** Adds the options of commands that tell findings. */
export function withRuleOptions(command: Command): Command {
  const collect = (value: string, earlier: readonly string[] = []) => [...earlier, value]
  return command
    .addOption(
      new Option('--fail-on <severity>', 'exit with 3 when a finding is at least this severe').choices(
        SEVERITIES,
      ),
    )
    .option(
      '--threshold <rule.name=value>',
      'another threshold, e.g. arena-bloat.leastFreeBytes=256M',
      collect,
    )
    .option('--rule-off <rule>', 'do not ask this rule', collect)
    .option('--config <file>', 'settings from this file instead of .arena-inspect.json here')
    .option('--no-config', 'no settings from a file')
}

/** What the options and the config file say. Throws UsageError, CommandError. */
export function judgementOf(options: RuleOptions): Judgement {
  const config = configOf(options)
  const thresholds: Record<string, Record<string, number>> = {}
  const set = (options.threshold ?? []).map((text) => {
    const at = text.indexOf('=')
    if (at > 0) return thresholdOf(text.slice(0, at), text.slice(at + 1), '--threshold')
    throw new UsageError(
      `--threshold takes RULE.NAME=VALUE, not ${JSON.stringify(text)}`,
      'e.g. --threshold arena-bloat.leastArenas=16; --explain RULE lists them',
    )
  })
  for (const { rule, name, value } of [...(config?.thresholds ?? []), ...set]) {
    thresholds[rule] = { ...thresholds[rule], [name]: value }
  }
  const named = (options.ruleOff ?? []).map((name) => ruleNamed(name, '--rule-off').name)
  const off = [...new Set([...(config?.rulesOff ?? []), ...named])].sort()
  const isDefault = Object.keys(thresholds).length === 0 && off.length === 0
  return {
    failOn: options.failOn ?? config?.failOn ?? null,
    rules: isDefault ? undefined : { thresholds, off },
  }
}

function configOf({ config }: RuleOptions): Config | null {
  if (config === false) return null
  if (config !== undefined) return readConfig(config)
  const found = readLocalConfig(say)
  if (found) say(`judged by ${found.file} (--no-config leaves it out)`)
  return found
}
