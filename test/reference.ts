/**
 * The parts of the documents that follow from the code: tables of options, help texts. They stand
 * between `<!-- reference: NAME -->` and `<!-- end -->`, and `UPDATE=1` writes them anew.
 */
import { z } from 'zod'
import { commands } from '../src/cli/main.ts'
import { configSchema } from '../src/config/schema.ts'
import { usage } from '../src/daemon/arguments.ts'
import { loadDriver } from '../src/fence/drivers/index.ts'
import { loadResourceType } from '../src/resources/index.ts'
import { biases } from '../src/sim/biased.ts'

/** What JSON Schema says of one option, as far as the tables tell it. */
interface Option {
  readonly title?: string
  readonly type?: string
  readonly default?: unknown
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly secret?: boolean
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly properties?: Readonly<Record<string, Option>>
  readonly items?: Option
  readonly anyOf?: readonly Option[]
  readonly required?: readonly string[]
}

interface Row {
  readonly path: string
  readonly option: Option
  readonly required: boolean
}

/** The text of a part by its name; `undefined` when there is no such part. */
export async function referenceOf(name: string): Promise<string | undefined> {
  const [kind = '', which = ''] = name.split(' ')
  switch (kind) {
    case 'config':
      return table(rowsOf(json(configSchema)))
    case 'driver':
      return table(rowsOf(json((await loadDriver(which)).options)))
    case 'resource':
      return table(rowsOf(json((await loadResourceType(which)).options)))
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
  return rowsOf(json(schema)).map(({ path }) => path.split('.').at(-1) ?? path)
}

function json(schema: z.ZodType): Option {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Option
}

function rowsOf({ properties = {}, required = [] }: Option, prefix = ''): readonly Row[] {
  return Object.entries(properties).flatMap(([key, option]): readonly Row[] => {
    const path = `${prefix}${key}`
    const inner = option.items?.properties ? option.items : option
    const below = rowsOf(inner, inner === option ? `${path}.` : `${path}[].`)
    const own = { path, option, required: required.includes(key) }
    // A map that only groups explains itself through what is in it.
    return option.title === undefined && below.length > 0 ? below : [own, ...below]
  })
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(({ path, option, required }) => {
    const standard = required ? '**required**' : code(option.default)
    return `| \`${path}\` | ${standard} | ${takes(option)} | ${option.title ?? ''} |`
  })
  return ['| option | default | takes | meaning |', '|---|---|---|---|', ...lines].join('\n')
}

function code(value: unknown): string {
  const text = JSON.stringify(value)
  return text === undefined || text === '{}' || text === '[]' ? '' : `\`${text}\``
}

function takes(option: Option): string {
  const secret = option.secret ? ', secret' : ''
  if (option.const !== undefined) return `only ${code(option.const)}`
  if (option.enum !== undefined) return option.enum.map(code).join(', ')
  if (option.anyOf !== undefined) return option.anyOf.map(takes).join(' or ')
  switch (option.type) {
    case 'integer':
      return `whole number${rangeOf(option)}`
    case 'number':
      return `number${rangeOf(option)}`
    case 'array':
      return 'list'
    case 'object':
      return 'map'
    case 'boolean':
      return '`true`, `false`'
    case 'string':
      return `text${secret}`
    default:
      return 'map or list'
  }
}

function rangeOf({ minimum, exclusiveMinimum, maximum }: Option): string {
  const from = exclusiveMinimum === undefined ? minimum : `above ${exclusiveMinimum}`
  const to = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? maximum : undefined
  if (from === undefined && to === undefined) return ''
  if (to === undefined) return `, ${from} or more`
  return `, ${from} to ${to}`
}

async function capabilitiesOf(driver: string): Promise<string> {
  const { capabilities } = await loadDriver(driver)
  const lines = Object.entries(capabilities).map(
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
