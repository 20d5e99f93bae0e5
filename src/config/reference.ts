/**
 * The options of a driver, of a resource type or of the configuration as rows of a table: for the
 * documents and for `picket drivers`. They come from the schema and cannot differ from it.
 */
import { z } from 'zod'

/** What JSON Schema says of one option, as far as the tables tell it. */
export interface Option {
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

/** One option, with the options in it after it. */
export interface Row {
  readonly path: string
  readonly option: Option
  readonly required: boolean
}

/** Every option of a schema. */
export function rowsOf(schema: z.ZodType): readonly Row[] {
  return rows(json(schema))
}

function json(schema: z.ZodType): Option {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Option
}

function rows({ properties = {}, required = [] }: Option, prefix = ''): readonly Row[] {
  return Object.entries(properties).flatMap(([key, option]): readonly Row[] => {
    const path = `${prefix}${key}`
    const inner = option.items?.properties ? option.items : option
    const below = rows(inner, inner === option ? `${path}.` : `${path}[].`)
    const own = { path, option, required: required.includes(key) }
    // A map that only groups explains itself through what is in it.
    return option.title === undefined && below.length > 0 ? below : [own, ...below]
  })
}

/** A default as it is written; empty where there is none worth telling. */
export function code(value: unknown): string {
  const text = JSON.stringify(value)
  return text === undefined || text === '{}' || text === '[]' ? '' : `\`${text}\``
}

/** What may be written for an option, in words. */
export function takes(option: Option): string {
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
      return `map${secret}`
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
