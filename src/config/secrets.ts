/**
 * The secrets files (F12): found, read if nobody else can read them, and cut into what belongs to a
 * driver, what belongs to one node of it, and what belongs to a resource. No value that stands in
 * them is ever repeated.
 */
import { existsSync, realpathSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Origins } from './origins.ts'
import { type Problem, shown } from './problem.ts'
import { readText } from './read.ts'
import type { ConfigFile } from './schema.ts'
import { didYouMean } from './suggest.ts'
import { type Path, parseYaml, type Source } from './yaml.ts'

export const secretsName = 'fence-secrets.yaml'
/** The credential that stands for that file, where systemd has given one. */
const secretsCredential = 'fence-secrets'

/** What the secrets files hold for one driver. */
export interface DriverSecrets {
  readonly source: Source
  /** Options for every node; paths lead to where they stand. */
  readonly shared: Readonly<Record<string, unknown>>
  readonly perNode: ReadonlyMap<string, Readonly<Record<string, unknown>>>
}

/** What they hold for one resource; paths lead from `resources`, its id on. */
export interface ResourceSecrets {
  readonly source: Source
  readonly entries: Readonly<Record<string, unknown>>
}

export interface Secrets {
  /** In the order of the files, which is the order of the levels that they add (C1). */
  readonly drivers: ReadonlyMap<string, DriverSecrets>
  readonly resources: ReadonlyMap<string, ResourceSecrets>
  readonly files: readonly string[]
  readonly problems: readonly Problem[]
  /** Nobody has looked into any file: what is missing may well stand there. */
  readonly unread: boolean
  /** The file that is read where the config names none. */
  readonly usual: string
  /** Where the secrets of a driver belong, whether or not that file is there. */
  fileFor(driver: string): string
}

/**
 * Read every secrets file that the config names, and if there is one the credential or the file
 * beside the config.
 */
export function readSecrets(
  config: ConfigFile,
  main: Source,
  driverNames: readonly string[],
  origins: Origins,
): Secrets {
  const drivers = new Map<string, DriverSecrets>()
  const resources = new Map<string, ResourceSecrets>()
  const problems: Problem[] = []
  const files: string[] = []
  for (const { file, named } of filesOf(config, main, origins)) {
    const read = readText(file, true)
    if (!read.ok) {
      if (named === undefined && read.missing) continue
      const where = named === undefined ? {} : main.placeOf(named)
      const message = `the secrets file ${file}: ${read.problem.message}`
      problems.push(named === undefined ? read.problem : { ...read.problem, ...where, message })
      continue
    }
    files.push(file)
    if (read.text.trim() === '') continue
    const parsed = parseYaml(file, read.text, true)
    if (!parsed.ok) {
      problems.push(...parsed.problems)
      continue
    }
    const nodes = config.cluster.nodes.map(({ name }) => name)
    problems.push(...cut(parsed.source, nodes, driverNames, drivers))
    const ids = config.resources.map(({ id }) => id)
    problems.push(...cutResources(parsed.source, ids, resources))
  }
  const fileFor = (driver: string): string => {
    const own = config.fence.drivers[driver]?.credentials_file
    return resolve(dirname(main.file), own ?? config.fence.credentials_file ?? secretsName)
  }
  const usual = resolve(dirname(main.file), secretsName)
  return { drivers, resources, files, problems, unread: false, fileFor, usual }
}

/** As if there were no secrets: for whoever needs none, and perhaps may not read any. */
export function unreadSecrets(main: Source): Secrets {
  const usual = resolve(dirname(main.file), secretsName)
  const none = { drivers: new Map(), resources: new Map(), files: [], problems: [] }
  return { ...none, unread: true, fileFor: () => usual, usual }
}

interface Named {
  readonly file: string
  /** Where the config names it; undefined for the file that is taken by default. */
  readonly named: Path | undefined
}

/** Every file once, also where two spellings name it. */
function filesOf({ fence }: ConfigFile, main: Source, origins: Origins): readonly Named[] {
  const folder = dirname(main.file)
  const found: Named[] = []
  const add = (text: string | undefined, path: Path) => {
    if (text !== undefined) found.push({ file: resolve(folder, text), named: path })
  }
  add(fence.credentials_file, ['fence', 'credentials_file'])
  for (const [driver, options] of Object.entries(fence.drivers)) {
    add(options.credentials_file, ['fence', 'drivers', driver, 'credentials_file'])
  }
  const credential = origins.credentialFile(secretsCredential)
  // A copy of the file, as a rule: both together would only contradict each other.
  const usual = credential !== undefined && existsSync(credential) ? credential : secretsName
  found.push({ file: resolve(folder, usual), named: undefined })
  const once = new Map<string, Named>()
  for (const entry of found) {
    const real = realPath(entry.file)
    if (!once.has(real)) once.set(real, entry)
  }
  return [...once.values()]
}

function realPath(file: string): string {
  try {
    return realpathSync(file)
  } catch {
    return file
  }
}

function cut(
  source: Source,
  nodes: readonly string[],
  driverNames: readonly string[],
  drivers: Map<string, DriverSecrets>,
): readonly Problem[] {
  if (!isMap(source.value)) {
    const message = 'write a map: a driver, and below it its secrets'
    return [{ ...source.placeOf([]), message }]
  }
  const problems: Problem[] = []
  const fail = (path: Path, message: string) =>
    problems.push({ ...source.placeOfKey(path), message })
  for (const [driver, section] of Object.entries(source.value)) {
    if (driver === resourcesKey) continue
    const before = drivers.get(driver)
    if (!driverNames.includes(driver)) {
      fail([driver], unknownDriver(driver, driverNames))
    } else if (!isMap(section)) {
      fail([driver], `write a map below ${driver}: its options, or nodes with theirs`)
    } else if (before !== undefined) {
      fail([driver], `secrets of ${driver} are in ${before.source.file} too; keep them in one file`)
    } else {
      drivers.set(driver, split(source, section, nodes))
      for (const node of nodes) {
        if (Object.hasOwn(section, node) && !isMap(section[node])) {
          fail([driver, node], `write a map below ${node}: its options`)
        }
      }
    }
  }
  return problems
}

/** The key for what belongs to resources; no driver has this name. */
const resourcesKey = 'resources'

function cutResources(
  source: Source,
  ids: readonly string[],
  resources: Map<string, ResourceSecrets>,
): readonly Problem[] {
  const section = isMap(source.value) ? source.value[resourcesKey] : undefined
  if (section === undefined) return []
  const fail = (path: Path, message: string): readonly Problem[] => [
    { ...source.placeOfKey(path), message },
  ]
  if (!isMap(section)) return fail([resourcesKey], 'write a map: the id of a resource, and a map')
  return Object.entries(section).flatMap(([id, entries]): readonly Problem[] => {
    const path = [resourcesKey, id]
    const before = resources.get(id)
    if (!ids.includes(id)) {
      return fail(path, `there is no resource ${shown(id)} in the config.${didYouMean(id, ids)}`)
    }
    if (!isMap(entries)) return fail(path, `write a map below ${id}: its secret options`)
    if (before !== undefined) {
      return fail(path, `secrets of ${id} are in ${before.source.file} too; keep them in one file`)
    }
    resources.set(id, { source, entries })
    return []
  })
}

/** A key that is a node's name is that node's; every other one is an option for all of them. */
function split(
  source: Source,
  section: Readonly<Record<string, unknown>>,
  nodes: readonly string[],
): DriverSecrets {
  const perNode = new Map<string, Readonly<Record<string, unknown>>>()
  const shared: [string, unknown][] = []
  for (const [key, value] of Object.entries(section)) {
    if (!nodes.includes(key)) shared.push([key, value])
    else if (isMap(value)) perNode.set(key, value)
  }
  return { source, shared: Object.fromEntries(shared), perNode }
}

/** The sentence for a driver that does not exist. */
export function unknownDriver(name: string, driverNames: readonly string[]): string {
  const known = [...driverNames].sort().join(', ')
  const hint = didYouMean(name, driverNames)
  return `there is no fence driver ${JSON.stringify(name)}; there are: ${known}.${hint}`
}

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
