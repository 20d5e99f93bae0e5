/**
 * The form of the configuration file as a JSON Schema, for editors: what may stand where, what it
 * means, what it is by default (C4). It is made of the schemas by which the loader judges, so that
 * it refuses nothing that the loader takes. What only the whole can tell (names that are used
 * twice, options that are set nowhere, times that do not fit together) is left to `config check`.
 *
 * Draft 7, the newest that every YAML language server understands. Its `errorMessage`,
 * `patternErrorMessage` and `doNotSuggest` are theirs, and mean nothing to others.
 */
import { z } from 'zod'
import type { Driver } from '../fence/driver.ts'
import type { CheckType } from '../health/check.ts'
import type { ResourceType } from '../resources/resource.ts'
import type { Catalog } from './catalog.ts'
import { commonSchema, isText, notHere } from './merge.ts'
import { originNames, suffixes } from './origins.ts'
import { code } from './reference.ts'
import { configSchema } from './schema.ts'

type Schema = z.core.JSONSchema.BaseSchema
type Properties = Readonly<Record<string, z.core.JSONSchema._JSONSchema>>

/** The JSON Schema of a configuration file that may name all of these drivers and types. */
async function editorSchema(catalog: Catalog): Promise<Schema> {
  const drivers = await Promise.all([...catalog.driverNames].sort().map(catalog.loadDriver))
  const types = await Promise.all(
    [...catalog.resourceTypeNames].sort().map(catalog.loadResourceType),
  )
  const checkTypes = await Promise.all(
    [...catalog.checkTypeNames].sort().map(catalog.loadCheckType),
  )
  const whole = jsonOf(configSchema)
  const cluster = propertyOf(whole, 'cluster')
  const nodes = propertyOf(cluster, 'nodes')
  const node = itemsOf(nodes)
  const fence = propertyOf(whole, 'fence')
  const resources = propertyOf(whole, 'resources')
  const resource = itemsOf(resources)
  const checks = propertyOf(whole, 'checks')
  const check = itemsOf(checks)
  const sections = drivers.map((driver) => [driver.name, refTo(`driver-${driver.name}`)])
  return {
    ...whole,
    title: 'The configuration of a Picket cluster',
    properties: {
      ...whole.properties,
      cluster: withProperty(cluster, 'nodes', {
        ...nodes,
        items: withProperty(node, 'fence', fenceOf(titleOf(node, 'fence'))),
      }),
      fence: withProperty(fence, 'drivers', {
        title: titleOf(fence, 'drivers'),
        type: 'object',
        properties: Object.fromEntries(sections),
        additionalProperties: false,
      }),
      resources: { ...resources, items: refTo('resource') },
      checks: { ...checks, items: refTo('check') },
    },
    definitions: {
      step: { title: 'A step', ...choice('driver', 'The fence driver', 'step', drivers) },
      level,
      resource: {
        ...choice('type', titleOf(resource, 'type'), 'resource', types),
        required: [...(resource.required ?? [])],
      },
      check: {
        ...choice('type', titleOf(check, 'type'), 'check', checkTypes),
        required: [...(check.required ?? [])],
      },
      ...Object.fromEntries(drivers.flatMap(driverDefinitions)),
      ...Object.fromEntries(types.map((type) => resourceDefinition(type, resource))),
      ...Object.fromEntries(checkTypes.map((type) => checkDefinition(type, check))),
    },
  }
}

/** The same as the text of a file. */
export async function editorSchemaText(catalog: Catalog): Promise<string> {
  return JSON.stringify(await editorSchema(catalog), null, 2)
}

/** As it stands in a file: `io: 'input'`, without what no editor makes use of. */
function jsonOf(schema: z.ZodType): Schema {
  return z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      const { format, maximum } = jsonSchema
      if (format !== 'uri') delete jsonSchema.format
      if (maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
      const standard = code(jsonSchema.default)
      // Editors show a description; a default alone they only fill in.
      if (standard === '') delete jsonSchema.default
      else jsonSchema.description = `${standard} by default`
    },
  })
}

type Definition = readonly [name: string, schema: Schema]

function driverDefinitions(driver: Driver): readonly Definition[] {
  const section = sectionOf(driver)
  return [
    [`driver-${driver.name}`, section],
    [`step-${driver.name}`, stepOf(driver, section)],
  ]
}

/** A resource of one type: what every resource has, and the options of the type. */
function resourceDefinition({ name, title, options }: ResourceType, every: Schema): Definition {
  const { $schema, ...own } = jsonOf(options)
  const open = Object.entries(own.properties ?? {}).map(([key, value]): Definition => {
    const option = objectOf(value, key)
    return [key, option.secret === true ? namedSecrets(option) : option]
  })
  const properties = { ...every.properties, ...Object.fromEntries(open), type: { const: name } }
  return [`resource-${name}`, { ...own, title, properties }]
}

/** A check of one type: what every check has, and the options of the type. */
function checkDefinition({ name, title, options }: CheckType, every: Schema): Definition {
  const { $schema, ...own } = jsonOf(options)
  const properties = { ...every.properties, ...own.properties, type: { const: name } }
  return [`check-${name}`, { ...own, title, properties }]
}

/** A map of secrets is refused in this file, but their places may be named (F12). */
function namedSecrets({ title }: Schema): Schema {
  const named = suffixes.map((suffix): Definition => {
    const { pattern, title: what, form } = originNames[suffix]
    const patternErrorMessage = `write the name of ${what}${form}`
    return [`${suffix}$`, { type: 'string', pattern: pattern.source, patternErrorMessage }]
  })
  return {
    ...(title !== undefined && { title }),
    type: 'object',
    patternProperties: Object.fromEntries(named),
    additionalProperties: false,
  }
}

/** What may stand below `fence.drivers.NAME`: nothing is required, it may stand elsewhere. */
function sectionOf(driver: Driver): Schema {
  const { title, options } = driver
  const own: Properties = jsonOf(options).properties ?? {}
  const all = Object.keys(own).flatMap((key): readonly Definition[] => {
    const option = objectOf(own[key], key)
    return option.secret === true ? secretEntries(driver, key, option) : [[key, option]]
  })
  const { credentials_file } = jsonOf(configSchema.shape.fence.unwrap()).properties ?? {}
  return {
    title,
    type: 'object',
    properties: {
      ...Object.fromEntries(all),
      ...jsonOf(commonSchema).properties,
      ...(credentials_file !== undefined && { credentials_file }),
    },
    additionalProperties: false,
  }
}

/** A secret is refused in this file, but its place may be named (F12). */
function secretEntries(
  driver: Driver,
  key: string,
  { title = key }: Schema,
): readonly Definition[] {
  const message = notHere(driver, key)
  const refused: Schema = {
    title,
    // Nothing fits it. `not: {}` would say so too, but editors give that a message of their own.
    type: 'string',
    pattern: '(?!)',
    errorMessage: message,
    patternErrorMessage: message,
    doNotSuggest: true,
  }
  if (!isText(driver, key)) return [[key, refused]]
  const named = suffixes.map((suffix): Definition => {
    const { pattern, title: what, form } = originNames[suffix]
    const own = { type: 'string', pattern: pattern.source } as const
    const patternErrorMessage = `write the name of ${what}${form}`
    return [`${key}${suffix}`, { title: `${title}: from ${what}`, ...own, patternErrorMessage }]
  })
  return [[key, refused], ...named]
}

/** The same options in a step, which names its driver. */
function stepOf({ name, title }: Driver, { properties = {} }: Schema): Schema {
  const keys = Object.keys(properties).filter((key) => key !== 'credentials_file')
  const options = keys.map((key) => [key, refTo(`driver-${name}/properties/${key}`)])
  return {
    title,
    type: 'object',
    properties: { driver: { const: name }, ...Object.fromEntries(options) },
    additionalProperties: false,
  }
}

/** A key of JSON Schema, which looks to a linter as if the map were a promise. */
const then = 'then'

/** A map in which one key decides what else may stand there. */
function choice(
  key: string,
  title: string,
  kind: string,
  among: readonly { readonly name: string }[],
): Schema {
  return {
    type: 'object',
    properties: { [key]: { title, type: 'string', enum: among.map(({ name }) => name) } },
    required: [key],
    allOf: among.map(({ name }) => ({
      if: { type: 'object', properties: { [key]: { const: name } }, required: [key] },
      [then]: refTo(`${kind}-${name}`),
    })),
  }
}

/** Steps that all have to be proven, and the word `verify`, which proves nothing alone. */
const level: Schema = {
  title: 'A level: steps that all have to be proven, and `verify`, to listen on its addresses',
  type: 'array',
  items: { anyOf: [refTo('step'), { const: 'verify' }] },
  contains: { type: 'object' },
}

function fenceOf(title: string): Schema {
  return {
    title,
    anyOf: [
      refTo('step'),
      {
        type: 'array',
        title: 'Levels, tried in this order',
        minItems: 1,
        items: { anyOf: [refTo('step'), refTo('level')] },
      },
    ],
  }
}

function refTo(definition: string): Schema {
  return { $ref: `#/definitions/${definition}` }
}

function propertyOf({ properties = {} }: Schema, key: string): Schema {
  return objectOf(properties[key], key)
}

function itemsOf({ items }: Schema): Schema {
  return objectOf(Array.isArray(items) ? undefined : items, 'items')
}

function objectOf(schema: unknown, what: string): Schema {
  if (typeof schema !== 'object' || schema === null) throw new TypeError(`no schema of ${what}`)
  return schema as Schema
}

function titleOf(schema: Schema, key: string): string {
  return propertyOf(schema, key).title ?? key
}

function withProperty(schema: Schema, key: string, property: Schema): Schema {
  const properties: Properties = { ...schema.properties, [key]: property }
  return { ...schema, properties }
}
