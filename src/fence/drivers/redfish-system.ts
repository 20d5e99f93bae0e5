/**
 * The one machine that is meant, among all that a Redfish service knows: found by what names it,
 * never by its place in a list.
 *
 * @see DMTF DSP0268: ComputerSystem, ActionInfo, Chassis.
 */
import type { Power } from '../../core/model.ts'
import type { Target } from '../driver.ts'
import { FenceError } from '../errors.ts'
import { sameIdentity } from '../identity.ts'
import { isObject, type Resource } from './redfish-answer.ts'
import { type Conversation, linkOf, linksOf } from './redfish-client.ts'

export interface System {
  readonly path: string
  readonly id: string
  readonly name: string
  readonly serial: string
  /** Dell's service tag. */
  readonly sku: string
  readonly uuid: string | undefined
  /** As the service says it: JSON of whatever shape. */
  readonly power: unknown
  /** Where a reset is asked for. */
  readonly target: string | undefined
  /** The resets that it lists in itself. */
  readonly resetTypes: readonly string[] | undefined
  /** The resource that lists them instead. */
  readonly actionInfo: string | undefined
  /** The chassis that has to be without power too; see `readPower`. */
  readonly boards: readonly string[]
}

/** What is kept of a service from one call to the next. */
export interface Memory {
  /** Where the system was found. What is there is compared with the config each time. */
  path: string | undefined
  /** What the service's ActionInfo said. */
  resetTypes: readonly string[] | undefined
}

const PAGES_MAX = 8
const SYSTEMS_MAX = 64

/** Finds the system that the config names, or the only one there is. */
export async function findSystem(
  bmc: Conversation,
  collection: () => Promise<string>,
  wanted: string | undefined,
  memory: Memory,
): Promise<System> {
  if (memory.path !== undefined) {
    const system = await readSystem(bmc, memory.path)
    if (wanted === undefined || isCalled(system, wanted)) return system
  }
  memory.resetTypes = undefined
  memory.path = undefined
  const paths = await membersOf(bmc, await collection())
  const system = wanted === undefined ? await onlyOne(bmc, paths) : await called(bmc, paths, wanted)
  memory.path = system.path
  return system
}

async function onlyOne(bmc: Conversation, paths: readonly string[]): Promise<System> {
  const [path] = paths
  if (path !== undefined && paths.length === 1) return readSystem(bmc, path)
  if (path === undefined) {
    throw new FenceError('noSuchPlug', 'it lists no system', 'look at the BMC: is the host there?')
  }
  const ids = bmc.tell(paths.map(lastOf).join(', '))
  throw new FenceError('options', `it has several systems: ${ids}`, NAME_ONE)
}

const NAME_ONE = 'name one of them with the option system'

async function called(
  bmc: Conversation,
  paths: readonly string[],
  wanted: string,
): Promise<System> {
  // An id stands in the path: the others need not be read, which on blades takes long.
  const direct = paths.find((path) => lastOf(path) === wanted)
  if (direct !== undefined) {
    const system = await readSystem(bmc, direct)
    if (system.id === wanted) return system
  }
  const { systems, failed } = await readAll(bmc, paths)
  const found = systems.filter((system) => isCalled(system, wanted))
  const [only] = found
  if (found.length > 1) {
    throw new FenceError(
      'options',
      `${found.length} systems are called so: ${listed(found)}`,
      NAME_ONE,
    )
  }
  // A name may be borne by the one that could not be read, too; numbers of hardware may not.
  if (failed !== undefined && (only === undefined || only.name === wanted)) throw failed
  if (only === undefined) {
    throw new FenceError('noSuchPlug', `no system ${wanted}, but ${listed(systems)}`, NAME_ONE)
  }
  return only
}

function isCalled({ id, name, serial, sku, uuid }: System, wanted: string): boolean {
  const named = [id, name, serial, sku].includes(wanted)
  return named || (uuid !== undefined && sameIdentity(uuid, wanted))
}

function listed(systems: readonly System[]): string {
  const texts = systems.slice(0, 8).map(({ id, name, serial }) => `${id} (${name}, ${serial})`)
  return systems.length > 8 ? `${texts.join(', ')}, …` : texts.join(', ')
}

async function membersOf(bmc: Conversation, collection: string): Promise<readonly string[]> {
  const paths: string[] = []
  let next: unknown = collection
  for (let page = 0; typeof next === 'string'; page++) {
    const read: Resource = await bmc.get(next)
    paths.push(...linksOf(read.Members))
    next = read['Members@odata.nextLink']
    if (page === PAGES_MAX || paths.length > SYSTEMS_MAX) {
      throw new FenceError('garbled', `more than ${SYSTEMS_MAX} systems`)
    }
  }
  return [...new Set(paths)]
}

/** Every system, to choose from; one that cannot be read is there all the same. */
export async function listSystems(
  bmc: Conversation,
  collection: string,
): Promise<readonly Target[]> {
  const targets: Target[] = []
  let failed: FenceError | undefined
  const paths = await membersOf(bmc, collection)
  for (const path of paths) {
    try {
      targets.push(await targetAt(bmc, path))
    } catch (error) {
      if (!(error instanceof FenceError)) throw error
      failed = error
      targets.push({ plug: lastOf(path), name: '', power: 'unknown' })
    }
  }
  if (failed !== undefined && targets.every(({ name }) => name === '')) throw failed
  return targets
}

async function targetAt(bmc: Conversation, path: string): Promise<Target> {
  const system = await readSystem(bmc, path)
  const { id, name, serial, sku, uuid = '' } = system
  const { power } = await readPower(bmc, system)
  const aliases = [name, serial, sku].filter((text) => text !== '')
  return {
    plug: id || lastOf(path),
    name: name || serial,
    power,
    identity: uuid || undefined,
    aliases,
  }
}

/** All that can be read, and why one of the others could not be. */
async function readAll(bmc: Conversation, paths: readonly string[]) {
  const systems: System[] = []
  let failed: FenceError | undefined
  for (const path of paths) {
    try {
      systems.push(await readSystem(bmc, path))
    } catch (error) {
      if (!(error instanceof FenceError)) throw error
      failed = error
    }
  }
  return { systems, failed }
}

/** Reads one system. An answer that is another one's is none. */
export async function readSystem(bmc: Conversation, path: string): Promise<System> {
  const read = await bmc.get(path)
  const own = textOf(read['@odata.id'])
  if (!('PowerState' in read) || plainPath(own || path) !== plainPath(path)) {
    const other = own === '' ? 'something without a PowerState' : own
    throw new FenceError('garbled', `asked for ${path}, got ${bmc.tell(other)}`)
  }
  const { Actions, Links } = read
  const reset = isObject(Actions) ? Actions['#ComputerSystem.Reset'] : undefined
  const action = isObject(reset) ? reset : {}
  const links = isObject(Links) ? Links : {}
  return {
    path,
    id: textOf(read.Id),
    name: textOf(read.Name),
    serial: textOf(read.SerialNumber),
    sku: textOf(read.SKU),
    uuid: textOf(read.UUID) || undefined,
    power: read.PowerState,
    target: textOf(action.target) || undefined,
    resetTypes: textsOf(action['ResetType@Redfish.AllowableValues']),
    actionInfo: textOf(action['@Redfish.ActionInfo']) || linkOf(action['@Redfish.ActionInfo']),
    boards: isOpenBmc(links) ? linksOf(links.Chassis).slice(0, BOARDS_MAX) : [],
  }
}

const BOARDS_MAX = 4

/** Only bmcweb calls its manager so. */
function isOpenBmc(links: Resource): boolean {
  return linksOf(links.ManagedBy).some((path) => /\/Managers\/bmc\/?$/.test(path))
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value.trim() : '')
const textsOf = (value: unknown): readonly string[] | undefined =>
  Array.isArray(value) ? value.filter((each) => typeof each === 'string') : undefined
const withoutSlash = (path: string): string => path.replace(/\/+$/, '')
const plainPath = (path: string): string => withoutSlash(path).toLowerCase()
const lastOf = (path: string): string => withoutSlash(path).split('/').at(-1) ?? ''

/**
 * The power of a system: only the exact `Off` is off, only `On` is on.
 *
 * OpenBMC derives the state from what it knows of the host's software, and says `Off` of a running
 * host that it has lost sight of (after a restart of the BMC, for one); what the board is given is
 * the state of its chassis. There an off needs both.
 */
export async function readPower(
  bmc: Conversation,
  { power, boards }: System,
): Promise<{ readonly power: Power; readonly raw: string }> {
  const raw = bmc.tell(typeof power === 'string' ? power : JSON.stringify(power))
  if (power !== 'Off') return { power: power === 'On' ? 'on' : 'unknown', raw }
  for (const path of boards) {
    const { PowerState: state } = await bmc.get(path)
    // A chassis without a power of its own contradicts nothing.
    if (state !== undefined && state !== 'Off') {
      return { power: 'unknown', raw: `Off, but its chassis ${bmc.tell(JSON.stringify(state))}` }
    }
  }
  return { power: 'off', raw }
}

/** The resets that a system offers; `undefined` where it does not say. */
export async function resetTypesOf(
  get: (link: string) => Promise<Resource | undefined>,
  { resetTypes, actionInfo }: System,
): Promise<readonly string[] | undefined> {
  if (resetTypes !== undefined || actionInfo === undefined) return resetTypes
  const parameters = (await get(actionInfo))?.Parameters
  const all: readonly unknown[] = Array.isArray(parameters) ? parameters : []
  const found = all.find((each) => isObject(each) && each.Name === 'ResetType')
  return isObject(found) ? textsOf(found.AllowableValues) : undefined
}
