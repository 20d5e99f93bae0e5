/**
 * `picket fence … --driver NAME`: one device whose options stand on the command line, for whoever
 * has no configuration yet, or wants to try a device before it is written into one. The flags are
 * those of the driver's schema. A secret is never among them: `--password-env VARIABLE` names where
 * it is, because what stands on a command line is seen by everybody.
 *
 * They become a configuration of one node in a folder of its own, which is read like any other, so
 * that the same checks are made and the same words are said.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { isSecret, keysOf } from '../config/merge.ts'
import { didYouMean } from '../config/suggest.ts'
import type { Driver } from '../fence/driver.ts'
import { driverNames, loadDriver } from '../fence/drivers/index.ts'
import { type Command, type ExitCode, type Flags, tokensOf, UsageError } from './command.ts'
import type { Terminal } from './terminal.ts'

/** Runs `command` with a configuration made of the flags of a driver. */
export async function withDeviceFlags(
  args: readonly string[],
  own: Flags,
  command: Command,
  terminal: Terminal,
): Promise<ExitCode> {
  const { name, rest, words, given } = sorted(args, own)
  const driver = await loadDriver(name)
  const [, node = 'machine'] = words
  const step = { driver: name, ...optionsIn(driver, given) }
  const folder = mkdtempSync(join(tmpdir(), 'picket-device-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  // Also where an interrupted order ends the process.
  process.once('exit', remove)
  try {
    const config = join(folder, 'config.yaml')
    const content = { cluster: { name: 'command-line', nodes: [{ name: node, fence: step }] } }
    writeFileSync(config, stringify(content, { lineWidth: 0 }), { mode: 0o600 })
    const plain = (text: string) =>
      text.replaceAll(/\S*config\.yaml:\d+:\d+: /g, '').replaceAll(config, 'the command line')
    const told = { ...terminal, err: (text: string) => terminal.err(plain(text)) }
    return await command.run([...rest, '--config', config], told)
  } finally {
    process.off('exit', remove)
    remove()
  }
}

interface Given {
  readonly flag: string
  readonly value: string
}

/** The flags of the command itself, and those that are the device's. */
function sorted(args: readonly string[], own: Flags) {
  const tokens = tokensOf(args, own)
  const given: Given[] = []
  const taken = new Set<number>()
  for (const token of tokens) {
    const isOurs =
      token.kind === 'option' && token.name !== 'driver' && Object.hasOwn(own, token.name)
    if (token.kind !== 'option' || isOurs) continue
    const value = token.value ?? args[token.index + 1]
    if (value === undefined) throw new UsageError(`--${token.name} takes a value.`)
    taken.add(token.index)
    if (token.inlineValue !== true) taken.add(token.index + 1)
    given.push({ flag: token.name, value })
  }
  const driver = given.find(({ flag }) => flag === 'driver')?.value ?? ''
  if (!driverNames.includes(driver)) {
    throw new UsageError(`there is no fence driver "${driver}".${didYouMean(driver, driverNames)}`)
  }
  if (args.some((arg) => arg === '--config' || arg.startsWith('--config='))) {
    throw new UsageError('--config means nothing beside --driver: leave one of them out.')
  }
  return {
    name: driver,
    rest: args.filter((_, index) => !taken.has(index)),
    words: tokens.flatMap((token) =>
      token.kind === 'positional' && !taken.has(token.index) ? [token.value] : [],
    ),
    given: given.filter(({ flag }) => flag !== 'driver'),
  }
}

/** The options that the flags set, as they would stand in a configuration. */
function optionsIn(driver: Driver, given: readonly Given[]): Record<string, unknown> {
  const flags = new Map(keysOf(driver).map((key) => [key.replaceAll('_', '-'), key]))
  const known = [...flags].map(([flag, key]) => (isSecret(driver, key) ? `${flag}-env` : flag))
  const options: Record<string, unknown> = {}
  for (const { flag, value } of given) {
    const key = flags.get(flag)
    const hidden = flags.get(flag.replace(/-env$/, ''))
    if (key !== undefined && isSecret(driver, key)) {
      const mend = `write --${flag}-env VARIABLE, and the secret into that variable`
      throw new UsageError(`--${flag} is a secret, and everybody sees a command line: ${mend}.`)
    }
    if (key !== undefined) options[key] = fromYaml(flag, value)
    else if (hidden !== undefined && isSecret(driver, hidden)) options[`${hidden}_env`] = value
    else {
      const hint = didYouMean(flag, known) || ` It has --${known.join(', --')}.`
      throw new UsageError(`the driver ${driver.name} has no option --${flag}.${hint}`)
    }
  }
  return options
}

/** Numbers, switches, lists and maps are written as in YAML: `--status '{ on: ["1"] }'`. */
function fromYaml(flag: string, text: string): unknown {
  try {
    return parse(text)
  } catch {
    throw new UsageError(`the value of --${flag} is not YAML: put it in quotes.`)
  }
}
