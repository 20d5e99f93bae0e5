/**
 * The secrets of one resource (F12): in the config only the names of where they come from, in the
 * secrets file themselves. An option that is secret is a map here, of names that only the resource
 * knows: `secret_params: { password_env: NAME }`.
 */
import type { ResourceType } from '../resources/resource.ts'
import { isSecret } from './merge.ts'
import { misreadIn } from './misread.ts'
import { type Origins, splitKey } from './origins.ts'
import { type Place, type Problem, placeText } from './problem.ts'
import type { FileResource } from './schema.ts'
import { isMap, type ResourceSecrets } from './secrets.ts'
import type { Path, Source } from './yaml.ts'

export interface SecretInputs {
  readonly type: ResourceType
  readonly entry: FileResource
  /** Where the entry stands in the config. */
  readonly path: Path
  readonly main: Source
  readonly secrets: ResourceSecrets | undefined
  readonly origins: Origins
}

export interface FoundSecrets {
  /** By option: its values by name. */
  readonly options: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** Where a value was written, for what is wrong with it. */
  placeOf(option: string, name: string): Place | undefined
  readonly problems: readonly Problem[]
}

interface Written {
  readonly value: unknown
  readonly key: string
  readonly place: Place
}

/** The names of the options that hold secrets. */
export function secretKeys(type: ResourceType): readonly string[] {
  return Object.keys(type.options.shape).filter((key) => isSecret(type, key))
}

/** Everything secret that the files and their origins hold for one resource. */
export function readResourceSecrets(inputs: SecretInputs): FoundSecrets {
  const { type, entry, path, main, secrets } = inputs
  const keys = secretKeys(type)
  const problems: Problem[] = []
  const found = new Map<string, Map<string, Written>>()
  for (const key of keys) {
    const into = new Map<string, Written>()
    const own = (entry as Readonly<Record<string, unknown>>)[key]
    collect(inputs, key, own, { source: main, path: [...path, key], secret: false }, into, problems)
    if (secrets !== undefined) {
      const place = { source: secrets.source, path: ['resources', entry.id, key], secret: true }
      collect(inputs, key, secrets.entries[key], place, into, problems)
    }
    if (into.size > 0) found.set(key, into)
  }
  for (const key of Object.keys(secrets?.entries ?? {})) {
    if (secrets === undefined || keys.includes(key)) continue
    const known = keys.length === 0 ? 'it has none' : `it has ${keys.join(', ')}`
    const message = `${key} is no secret of a resource of type ${type.name}: ${known}`
    problems.push({ ...secrets.source.placeOfKey(['resources', entry.id, key]), message })
  }
  return {
    options: Object.fromEntries(
      [...found].map(([key, names]) => [
        key,
        Object.fromEntries([...names].map(([name, { value }]) => [name, value])),
      ]),
    ),
    placeOf: (option, name) => found.get(option)?.get(name)?.place,
    problems,
  }
}

interface Where {
  readonly source: Source
  readonly path: Path
  readonly secret: boolean
}

function collect(
  { entry: { id }, origins }: SecretInputs,
  option: string,
  values: unknown,
  { source, path, secret }: Where,
  into: Map<string, Written>,
  problems: Problem[],
): void {
  if (values === undefined) return
  if (!isMap(values)) {
    // Not the value: it may be the secret.
    problems.push({ ...source.placeOf(path), message: `write a map in ${option}: name: value` })
    return
  }
  problems.push(...misreadIn(source, path, values, true))
  for (const [key, value] of Object.entries(values)) {
    const place = source.placeOfKey([...path, key])
    const fail = (message: string) => problems.push({ ...place, message })
    const origin = splitKey(key)
    const name = origin?.base ?? key
    const before = into.get(name)
    if (before !== undefined) {
      const where = placeText(before.place)
      fail(`${key} says again what ${before.key} says at ${where}; keep one of them`)
    } else if (origin !== undefined) {
      const read = origins.read(key, origin.suffix, value)
      if (read.ok) into.set(name, { value: read.value, key, place })
      else fail(read.message)
    } else if (secret) {
      into.set(name, { value, key, place })
    } else {
      fail(notInConfig(id, option, key))
    }
  }
}

/** The sentence for a secret of a resource that stands in the main config. */
export function notInConfig(id: string, option: string, key: string): string {
  return (
    `${key} is a secret and may not stand in this file; write it in the secrets file, below ` +
    `resources: ${id}: ${option}:, or ${key}_env with the name of an environment variable, or ` +
    `${key}_credential with the name of a systemd credential`
  )
}
