/**
 * Any BMC with a Redfish service: iLO, iDRAC, XCC, Supermicro, OpenBMC and their kin.
 *
 * Off is asked for as `ForceOff` alone: what else sounds like it asks the operating system first,
 * or switches on again. What the service answers to it proves nothing. Where there is no hard off,
 * the config may settle for a reset: then the time of the last one has to be another one (F15).
 *
 * @see DMTF DSP0266 (Redfish Specification), DSP0268 (ComputerSystem: `PowerState`, `Reset`).
 */
import { defineDriver, type Status, type Verification } from '../driver.ts'
import { FenceError } from '../errors.ts'
import type { HttpAnswer } from '../http.ts'
import { canonicalIdentity } from '../identity.ts'
import type { Wire } from '../wire.ts'
import { tlsOf } from './https.ts'
import { roleOf } from './redfish-account.ts'
import { isObject, messageOf, objectOf, refusalOf } from './redfish-answer.ts'
import { type Conversation, converse, type Habits, linkOf } from './redfish-client.ts'
import { type MarkMemory, steadyMark } from './redfish-mark.ts'
import { baseOf, hardResets, type Options, options } from './redfish-options.ts'
import {
  findSystem,
  listSystems,
  type Memory,
  readPower,
  resetTypesOf,
  type System,
} from './redfish-system.ts'

export const redfish = defineDriver({
  name: 'redfish',
  title: 'A BMC that speaks Redfish (iLO, iDRAC, XCC, Supermicro, OpenBMC, ...)',
  options,
  capabilities: {
    hardOff: true,
    statusAuthoritative: true,
    isolation: 'power',
    // A BMC dies with the power supplies of its host, and then no off can ever be proven by it.
    sharedFate: 'host-power',
    // BMCs cache what they tell.
    readGapMs: 1_000,
    // Commands become tasks, and a BMC that restarts may find them again.
    lateMs: 60_000,
    returnsMs: 0,
    settleMs: 20_000,
    vouches: false,
    bootMark: 'LastResetTime',
    // PowerCycle waits with the current off, and the time is noted when the host comes up.
    bootMs: 60_000,
    // Weak BMCs take a second for each request, and an off by name is four of them.
    timeoutMs: 15_000,
  },

  plug: 'system',
  isolationOf: ({ by }) => (by === 'reset' ? 'new-boot' : 'power'),

  endpoint: (options) => new URL(baseOf(options)).host,

  status: (options, wire) => inService(options, wire, readStatus, true),
  powerOff: (options, wire) => press(options, wire, offBy(options)),
  powerOn: (options, wire) => press(options, wire, { becomes: 'On', types: ['On', 'ForceOn'] }),
  reset: (options, wire) => press(options, wire, resetBy(options)),
  verify: (options, wire) => inService(options, wire, inspect, true),
  list: (options, wire) =>
    within(
      options,
      wire,
      async (bmc, known) => listSystems(bmc, await systemsOf(bmc, known)),
      true,
    ),
})

/** What is kept of a service, so that only the first call has to look around. */
interface Known extends Memory, MarkMemory {
  readonly habits: Habits
  links: Links | undefined
  /** The resource of our account. */
  account: string | undefined
}

interface Links {
  readonly systems: string
  readonly sessions: string
  readonly accounts: string | undefined
}

const services = new WeakMap<Options, Known>()

interface Service {
  readonly options: Options
  readonly wire: Wire
  readonly bmc: Conversation
  readonly known: Known
  /** The one that the config means. */
  readonly system: System
}

/** Logs in, finds the system, does the work, and logs out. */
function inService<T>(
  options: Options,
  wire: Wire,
  work: (service: Service) => Promise<T>,
  leisure = false,
): Promise<T> {
  const find = async (bmc: Conversation, known: Known): Promise<T> => {
    const system = await findSystem(bmc, () => systemsOf(bmc, known), options.system, known)
    return await work({ options, wire, bmc, known, system })
  }
  return within(options, wire, find, leisure)
}

const systemsOf = async (bmc: Conversation, known: Known): Promise<string> =>
  (await linksIn(bmc, known)).systems

/** The same, whatever system is meant. */
async function within<T>(
  options: Options,
  wire: Wire,
  work: (bmc: Conversation, known: Known) => Promise<T>,
  leisure: boolean,
): Promise<T> {
  const known = services.get(options) ?? {
    habits: { slash: false, leftovers: [] },
    links: undefined,
    path: undefined,
    resetTypes: undefined,
    account: undefined,
    mark: undefined,
  }
  services.set(options, known)
  const { user, password, auth } = options
  const sessions = async (bmc: Conversation) => (await linksIn(bmc, known)).sessions
  const access = { base: baseOf(options), user, password, auth, tls: tlsOf(options), sessions }
  try {
    const terms = { access, habits: known.habits, wire }
    return await converse(terms, (bmc) => work(bmc, known), leisure)
  } catch (error) {
    // What is not there any more has moved: the next call looks around anew.
    if (error instanceof FenceError && error.failure === 'noSuchPlug') {
      Object.assign(known, { links: undefined, path: undefined, account: undefined })
    }
    throw error
  }
}

/** What the root of the service links to. It is the one resource that asks for no login. */
async function linksIn(bmc: Conversation, known: Known): Promise<Links> {
  if (known.links !== undefined) return known.links
  const root = await bmc.get('/redfish/v1/')
  const systems = linkOf(root.Systems)
  if (systems === undefined) {
    throw new FenceError('garbled', 'its Redfish service knows no systems', 'is it a BMC?')
  }
  const inRoot = isObject(root.Links) ? linkOf(root.Links.Sessions) : undefined
  const sessions = inRoot ?? '/redfish/v1/SessionService/Sessions'
  known.links = { systems, sessions, accounts: linkOf(root.AccountService) }
  return known.links
}

async function readStatus({ bmc, known, system }: Service): Promise<Status> {
  const boot = steadyMark(known, system.lastReset)
  return { ...(await readPower(bmc, system)), identity: system.uuid, boot }
}

/** What a command is to bring about, and the resets that do, the best one first. */
interface Aim {
  readonly becomes?: 'On' | 'Off'
  readonly types: readonly string[]
  /** The config says so, whatever the BMC lists. */
  readonly insisted?: boolean
}

function resetBy({ reset_type }: Options): Aim {
  return { types: reset_type === undefined ? hardResets : [reset_type], insisted: !!reset_type }
}

function offBy({ reset_type }: Options): Aim {
  return { becomes: 'Off', types: [reset_type ?? 'ForceOff'], insisted: reset_type !== undefined }
}

function press(options: Options, wire: Wire, aim: Aim): Promise<void> {
  return inService(options, wire, async ({ bmc, known, system }) => {
    // A list that cannot be read must not hold up an off: then the BMC itself says no.
    known.resetTypes =
      system.resetTypes ?? known.resetTypes ?? (await resetTypesOf(bmc.glance, system))
    const ResetType = chosen(aim, known.resetTypes)
    const answer = await bmc.post(targetOf(system), { ResetType })
    if (isAccepted(answer)) return failEarly(bmc, answer)
    // Many refuse to become what they are already; and a state is no excuse if it is another one.
    if ((answer.status === 400 || answer.status === 409) && aim.becomes !== undefined) {
      const now = await bmc.glance(system.path)
      if (now?.PowerState === aim.becomes) return
    }
    throw refusalOf(answer, bmc.tell, 'command')
  })
}

/** The reset to ask for. What the BMC does not offer is not tried, unless the config says so. */
function chosen({ becomes, types, insisted }: Aim, offered: readonly string[] | undefined): string {
  const [first = ''] = types
  if (offered === undefined || insisted) return first
  const found = types.find((type) => offered.includes(type))
  if (found !== undefined) return found
  const list = offered.slice(0, 16).join(', ') || 'nothing'
  const detail = `it offers no ${types.join(' or ')}, only ${list}`
  const mend = `none of these is a hard off: give this node another fence device${weaker(offered)}`
  throw new FenceError('refused', detail, becomes === 'Off' ? mend : undefined)
}

/** What is left where it offers no off. */
function weaker(offered: readonly string[]): string {
  return hardResets.some((type) => offered.includes(type))
    ? ', or settle for by: reset, which fence.least_evidence has to allow'
    : ''
}

function targetOf({ target, id }: System): string {
  if (target !== undefined) return target
  throw new FenceError('refused', `it offers no reset of the system ${id}`)
}

/** A web page is no acceptance: something else stands in front of the service. */
function isAccepted({ status, headers }: HttpAnswer): boolean {
  const isPage = /html/i.test(headers['content-type'] ?? '')
  return [200, 201, 202, 204, 207].includes(status) && !(isPage && status === 200)
}

/** A task may have failed by the time we look at it. That it has not proves nothing. */
async function failEarly(bmc: Conversation, { status, headers, body }: HttpAnswer): Promise<void> {
  if (status !== 202 && status !== 207) return
  const named = headers.location ?? linkOf(objectOf(body))
  const task = (named && (await bmc.glance(pathOf(named)))) || objectOf(body)
  const state = String(task?.TaskState ?? '')
  const failed = ['Exception', 'Killed', 'Cancelled'].includes(state) || isObject(task?.error)
  if (!failed) return
  const said = bmc.tell(`its task ended as ${state || 'an error'}: ${messageOf(task) ?? 'no word'}`)
  throw new FenceError('garbled', said, 'look into its log; until then count on a late effect')
}

/** Some BMCs put a name before their paths that only they know. */
function pathOf(location: string): string {
  const url = URL.canParse(location, 'https://bmc') ? new URL(location, 'https://bmc') : undefined
  return url === undefined ? location : `${url.pathname}${url.search}`
}

async function inspect({ options, wire, bmc, known, system }: Service): Promise<Verification> {
  const { power, raw } = await readPower(bmc, system)
  if (power === 'unknown') throw new FenceError('garbled', `its PowerState is ${raw}`)
  known.resetTypes = await resetTypesOf(bmc.get, system)
  const type = chosen(options.by === 'reset' ? resetBy(options) : offBy(options), known.resetTypes)
  if (options.by === 'reset' && steadyMark(known, system.lastReset) === undefined) {
    const mend = 'give this node another fence device'
    throw new FenceError('garbled', 'no LastResetTime, by which a reset could be proven', mend)
  }
  targetOf(system)
  const { accounts } = await linksIn(bmc, known)
  const role = await roleOf(bmc, accounts, options.user, known, wire)
  // The one predefined role of which it is known; what others may do, vendors define.
  if (role === 'ReadOnly') {
    throw new FenceError('privilege', `${options.user} has the role ReadOnly`)
  }
  const uuid = system.uuid && canonicalIdentity(system.uuid)
  const unlisted = known.resetTypes ? 'does not list' : 'does not say whether it offers'
  const offers = known.resetTypes?.includes(type) ? 'offers' : unlisted
  return {
    identity: system.uuid,
    detail:
      `lets ${options.user} in${role === undefined ? '' : ` as ${bmc.tell(role)}`}, ` +
      `system ${bmc.tell(system.id)} is ${power} and ${offers} ${type}, ` +
      (uuid === undefined ? 'tells no UUID' : `UUID ${bmc.tell(uuid)}`),
  }
}
