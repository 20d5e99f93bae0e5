/**
 * The options of one fence device: laid over each other from the four places where they may stand
 * (C2), secrets only from where secrets belong (F12), each remembered with its place.
 */
import { z } from 'zod'
import type { Driver } from '../fence/driver.ts'
import { canonicalIdentity } from '../fence/identity.ts'
import { explain } from './explain.ts'
import { misreadIn } from './misread.ts'
import { lacking } from './missing.ts'
import { type Origins, splitKey, suffixes } from './origins.ts'
import { type Place, type Problem, placeText } from './problem.ts'
import { keysAt } from './schema-keys.ts'
import { isMap, type Secrets } from './secrets.ts'
import { didYouMean } from './suggest.ts'
import type { Path, Source } from './yaml.ts'

/** One place where options of a device stand; a later one wins. */
export interface Layer {
  readonly source: Source
  readonly path: Path
  readonly entries: Readonly<Record<string, unknown>>
  /** In a secrets file: secrets are welcome, and no value is ever shown. */
  readonly secret: boolean
  /** Keys that are read by somebody else. */
  readonly skip: readonly string[]
  /** Where the secrets of this driver belong, for whoever has written one here. */
  readonly secretsFile?: string
  /** The nodes of which one could be meant by a key that is no option. */
  readonly nodes?: readonly string[]
}

/** What every step may say, whatever its driver. */
export const commonSchema = z.object({
  identity: z
    .string()
    .min(1)
    .max(128)
    .refine((text) => canonicalIdentity(text) !== undefined, 'names no machine; correct it')
    .optional()
    .meta({ title: 'The hardware that the device must name: BMC GUID, machine UUID' }),
  timeout_seconds: z
    .number()
    .min(0.1)
    .max(600)
    .optional()
    .meta({ title: "How long one command may take, instead of the driver's own bound" }),
  late_seconds: z.number().min(0).max(3600).optional().meta({
    title: 'How long a command that was not seen to be carried out may still be, by this device',
  }),
  returns_seconds: z.number().min(0).max(3600).optional().meta({
    title: 'How long after an off it is watched whether something else switches the node on again',
  }),
})

export type CommonOptions = z.output<typeof commonSchema>

export interface Setting {
  readonly value: unknown
  readonly place: Place
  /** Never shown. */
  readonly secret: boolean
  /** Where something in it stands: a key, or a value. */
  readonly within: (rest: Path, atKey: boolean) => Place
}

export type Settings = ReadonlyMap<string, Setting>

export interface Merged {
  readonly settings: Settings
  readonly common: CommonOptions
  /** The driver's own options as its schema gives them; undefined where there are problems. */
  readonly options: Readonly<Record<string, unknown>> | undefined
  readonly problems: readonly Problem[]
}

/** True if the schema of a driver or a resource type says that this option is a secret. */
export function isSecret(driver: Pick<Driver, 'options'>, key: string): boolean {
  const option = Object.hasOwn(driver.options.shape, key) ? driver.options.shape[key] : undefined
  return option?.meta()?.secret === true
}

/** The keys that a step of this driver may hold. */
export function keysOf(driver: Driver): readonly string[] {
  return [...Object.keys(driver.options.shape), ...Object.keys(commonSchema.shape)]
}

/** Lay the layers over each other, without asking whether the whole is complete. */
export function overlay(
  driver: Driver,
  layers: readonly Layer[],
  origins: Origins,
): { readonly settings: Settings; readonly problems: readonly Problem[] } {
  const settings = new Map<string, Setting>()
  const problems: Problem[] = []
  // By option: the key that has set it last, e.g. `password_env`, and where.
  const written = new Map<string, { readonly key: string; readonly place: Place }>()
  for (const layer of layers) {
    for (const [key, value] of Object.entries(layer.entries)) {
      if (layer.skip.includes(key)) continue
      const place = layer.source.placeOfKey([...layer.path, key])
      const read = readEntry(driver, layer, key, value, origins)
      const option = typeof read === 'string' ? optionOf(driver, key) : read.key
      const before = option === undefined ? undefined : written.get(option)
      if (typeof read === 'string') problems.push({ ...place, message: read })
      else {
        const within = withinOf(layer, key, place)
        settings.set(read.key, { value: read.value, place, secret: read.secret, within })
        problems.push(...misreadIn(layer.source, [...layer.path, key], value, read.secret))
      }
      if (option !== undefined) written.set(option, { key, place })
      if (before !== undefined && before.key !== key) {
        const message =
          `${key} says again what ${before.key} says at ${placeText(before.place)}; keep one of ` +
          'them, or write the same one in both places'
        problems.push({ ...place, message })
      }
    }
  }
  return { settings, problems }
}

/** An option as a whole is told where its key stands, what is in it where that stands. */
function withinOf({ source, path }: Layer, key: string, place: Place): Setting['within'] {
  return (rest, atKey) => {
    if (rest.length === 0) return place
    const whole = [...path, key, ...rest]
    return atKey ? source.placeOfKey(whole) : source.placeOf(whole)
  }
}

/** The secret that a key sets, be it only by the name of where it comes from. */
function optionOf(driver: Driver, key: string): string | undefined {
  const option = splitKey(key)?.base ?? key
  return isSecret(driver, option) ? option : undefined
}

/** One entry of a layer, or why it may not stand there. */
function readEntry(
  driver: Driver,
  layer: Layer,
  key: string,
  value: unknown,
  origins: Origins,
): { key: string; value: unknown; secret: boolean } | string {
  const known = keysOf(driver)
  if (known.includes(key)) {
    const secret = isSecret(driver, key)
    if (!secret || layer.secret) return { key, value, secret: secret || layer.secret }
    return notHere(driver, key, layer.secretsFile)
  }
  const named = splitKey(key)
  if (named === undefined || !known.includes(named.base)) {
    if (layer.secret && isMap(value)) {
      const hint = didYouMean(key, [...(layer.nodes ?? []), ...known])
      const fault = `there is no node ${key} in this cluster, and ${driver.name} has no such option`
      return `${fault}.${hint}`
    }
    const hint =
      didYouMean(key, [...known, ...originKeys(driver)]) || ` Known here: ${known.join(', ')}.`
    return `${driver.name} has no option ${key}.${hint}`
  }
  const { base, suffix } = named
  if (!isSecret(driver, base)) return `${base} is no secret; write ${base} itself`
  if (!isText(driver, base)) return `${base} is a map; write it in the secrets file`
  const read = origins.read(key, suffix, value)
  return read.ok ? { key: base, value: read.value, secret: true } : read.message
}

/** The keys that name the origin of a secret, e.g. `password_env`. */
function originKeys(driver: Driver): readonly string[] {
  const secrets = Object.keys(driver.options.shape).filter((key) => isSecret(driver, key))
  return secrets
    .filter((key) => isText(driver, key))
    .flatMap((key) => suffixes.map((suffix) => `${key}${suffix}`))
}

/** The sentence for a secret that stands in the main config. */
export function notHere(driver: Driver, key: string, file?: string): string {
  const where = file === undefined ? 'the secrets file' : `the secrets file ${file}`
  const refused = `${key} is a secret and may not stand in this file; write it in ${where}`
  if (!isText(driver, key)) return refused
  return (
    `${refused}, or ${key}_env with the name of an environment variable, or ${key}_credential ` +
    'with the name of a systemd credential'
  )
}

/** Is this option plain text, which a variable or a credential can hold? */
export function isText(driver: Driver, key: string): boolean {
  let option: unknown = driver.options.shape[key]
  while (option instanceof z.ZodOptional || option instanceof z.ZodDefault) option = option.unwrap()
  return option instanceof z.ZodString
}

export interface MergeTerms {
  /** Undefined where the options are those of no node's device. */
  readonly node: string | undefined
  /** Where the step stands, for what is wrong with it as a whole. */
  readonly place: Place
  readonly origins: Origins
  /** False where a secrets file could not be read: then what is missing may well stand there. */
  readonly sawAll: boolean
}

/** The options of one device of one node, complete and checked by the driver's own schema. */
export function merge(
  driver: Driver,
  layers: readonly Layer[],
  { node, place, origins, sawAll }: MergeTerms,
): Merged {
  const { settings, problems } = overlay(driver, layers, origins)
  const shape = driver.options.shape
  const values = (keep: (key: string) => boolean) =>
    Object.fromEntries(
      [...settings].filter(([key]) => keep(key)).map(([key, { value }]) => [key, value]),
    )
  const own = values((key) => Object.hasOwn(shape, key))
  const rest = values((key) => !Object.hasOwn(shape, key))
  const common = commonSchema.safeParse(rest)
  const parsed = driver.options.safeParse(own)
  const issues = [
    ...(parsed.error?.issues ?? []).map((issue) => ({ issue, value: own })),
    ...(common.error?.issues ?? []).map((issue) => ({ issue, value: rest })),
  ]
  const found = issues.flatMap(({ issue, value }): Problem[] => {
    const key = String(issue.path[0] ?? '')
    const setting = settings.get(key)
    // What may be one thing or another is refused by all of them where it is not there.
    const lacks = issue.code === 'invalid_type' || issue.code === 'invalid_union'
    if (setting === undefined && lacks && issue.path.length === 1) {
      // What was refused above would only be reported as missing again.
      if (problems.length > 0 || !sawAll) return []
      const secret = isSecret(driver, key)
      return [lacking(place, { driver: driver.name, option: key, secret, node })]
    }
    // So would a login that was refused above, or stands where nobody could look.
    if (issue.path.length === 0 && (problems.length > 0 || !sawAll)) return []
    const terms = {
      secret: setting?.secret ?? false,
      keysAt: (path: Path) => keysAt(driver.options, path),
    }
    return explain(issue, value, '', terms).map(({ path, atKey, message }) => ({
      ...(setting?.within(path.slice(1), atKey) ?? place),
      message,
    }))
  })
  return {
    settings,
    common: common.data ?? {},
    options: parsed.success ? parsed.data : undefined,
    problems: [...problems, ...found],
  }
}

/** Where an option is missing and there is no secrets file at all: which one was looked for. */
export function noSecretsFile(
  problems: readonly Problem[],
  secrets: Secrets,
  main: Source,
): readonly Problem[] {
  const lacking = problems.some(({ message }) => / (is|are) set nowhere/.test(message))
  if (!lacking || secrets.files.length > 0 || secrets.problems.length > 0) return []
  const message =
    `there is no secrets file ${secrets.usual}: what is set nowhere may stand there, and secrets ` +
    'have to (mode 0600)'
  return [{ file: main.file, line: 0, column: 0, message }]
}
