/**
 * The parts of the documents that follow from the code: tables of options, help texts. They stand
 * between `<!-- reference: NAME -->` and `<!-- end -->`, and `UPDATE=1` writes them anew.
 */
import type { z } from 'zod'
import { commands } from '../src/cli/main.ts'
import { isSecret, keysOf } from '../src/config/merge.ts'
import { code, type Row, rowsOf, takes } from '../src/config/reference.ts'
import { configSchema } from '../src/config/schema.ts'
import { usage } from '../src/daemon/arguments.ts'
import { loadDriver } from '../src/fence/drivers/index.ts'
import { loadCheckType } from '../src/health/index.ts'
import { loadResourceType } from '../src/resources/index.ts'
import { biases } from '../src/sim/biased.ts'

/** The text of a part by its name; `undefined` when there is no such part. */
export async function referenceOf(name: string): Promise<string | undefined> {
  const [kind = '', which = ''] = name.split(' ')
  switch (kind) {
    case 'config':
      return table(rowsOf(configSchema))
    case 'driver':
      return table(rowsOf((await loadDriver(which)).options))
    case 'resource':
      return table(rowsOf((await loadResourceType(which)).options))
    case 'check':
      return table(rowsOf((await loadCheckType(which)).options))
    case 'capabilities':
      return await capabilitiesOf(which)
    case 'help':
      return fenced(await helpOf(which))
    case 'swarms':
      return swarms()
    default:
      return undefined
  }
}

/** The help of a command of `picket`, of `picket` itself, or of the daemon. */
export async function helpOf(command: string): Promise<string> {
  if (command === 'picketd') return usage.trimEnd()
  const entry = commands[command]
  if (entry === undefined) throw new Error(`there is no command ${command}`)
  return (await entry.load()).command.help
}

/** Every option of a schema, also those of the maps and lists in it. */
export function optionNames(schema: z.ZodType): readonly string[] {
  return rowsOf(schema).map(({ path }) => path.split('.').at(-1) ?? path)
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(({ path, option, required }) => {
    const standard = required ? '**required**' : code(option.default)
    return `| \`${path}\` | ${standard} | ${takes(option)} | ${option.title ?? ''} |`
  })
  return ['| option | default | takes | meaning |', '|---|---|---|---|', ...lines].join('\n')
}

async function capabilitiesOf(driver: string): Promise<string> {
  const { capabilities, list } = await loadDriver(driver)
  const lines = Object.entries({ ...capabilities, list: list !== undefined }).map(
    ([name, value]) => `| \`${name}\` | \`${value}\` |`,
  )
  return ['| capability | value |', '|---|---|', ...lines].join('\n')
}

function swarms(): string {
  const lines = Object.entries(biases).map(([name, { about }]) => `| \`${name}\` | ${about} |`)
  return ['| swarm | what it turns up |', '|---|---|', ...lines].join('\n')
}

function fenced(text: string): string {
  return `\`\`\`text\n${text}\n\`\`\``
}

/** The flags of a driver, where a command line names one; those of its secrets end in `-env`. */
export async function deviceFlagsIn(words: readonly string[]): Promise<string> {
  const at = words.indexOf('--driver')
  if (at === -1) return ''
  const driver = await loadDriver(words[at + 1] ?? '')
  const flags = keysOf(driver).map((key) => {
    return `--${key.replaceAll('_', '-')}${isSecret(driver, key) ? '-env' : ''}`
  })
  return `\n${flags.join('\n')}\n`
}
