/**
 * A BMC that speaks Redfish, written from DMTF's specifications and not from a client: machines
 * with power, logins with slots, tasks, and the vendors' ways to refuse. `redfish-double.test.ts`
 * lets foreign clients use it.
 */
import type { Fault } from './contract.ts'
import { type HttpCall, type HttpReply, httpStand } from './http-stand.ts'
import type { Profile, SystemProfile } from './redfish-profiles.ts'
import * as tells from './redfish-resources.ts'

export type Power = 'on' | 'off'

interface Machine {
  readonly profile: SystemProfile
  power: Power
  /** Shown instead of the truth: the state of the host, which may be anything. */
  shown: string | null | undefined
  turning: string | undefined
  readonly timers: Set<NodeJS.Timeout>
  commandMs: number
}

/** What goes wrong on request. */
export interface Quirks {
  fault: Fault | undefined
  /** Answers 204 to whatever is posted, and does nothing. */
  liar: boolean
  /** So many requests find the service starting: 503, or another status. */
  unavailable: { count: number; status: number }
  /** How the task of an accepted command ends. */
  task: { state: string; messageId?: string }
  /** A reset is refused in this way, whoever asks. */
  refuses: { status: number; messageId: string } | undefined
  /** Errors repeat what was sent as login. */
  echoes: boolean
  /** Systems that answer with the data of another one. */
  mixedUp: Map<string, string>
  /** Its collection of systems is empty. */
  empty: boolean
  /** Systems whose resource cannot be read. */
  broken: Set<string>
}

export type Double = Awaited<ReturnType<typeof redfishDouble>>

export const operator = { user: 'picket', password: 'pw-canary-4711/+', role: 'Operator' }
export const reader = { user: 'reader', password: 'read-canary-0815', role: 'ReadOnly' }
const accounts = [operator, reader]

/** The resets that take the current away, give it, or do both. */
const effects: Readonly<Record<string, readonly Power[]>> = {
  ForceOff: ['off'],
  On: ['on'],
  ForceOn: ['on'],
  ForceRestart: ['off', 'on'],
  PowerCycle: ['off', 'on'],
}

/** Starts a BMC of this kind; all of its machines are on. */
export async function redfishDouble(profile: Profile) {
  const machines = new Map(profile.systems.map((each) => [each.id, machineOf(each)]))
  const sessions = new Map<string, { id: string; user: string; token: string }>()
  const commands: { system: string; resetType: unknown }[] = []
  const quirks: Quirks = {
    fault: undefined,
    liar: false,
    unavailable: { count: 0, status: 503 },
    task: { state: 'Running' },
    refuses: undefined,
    echoes: false,
    mixedUp: new Map(),
    empty: false,
    broken: new Set(),
  }
  const service: Service = { profile, machines, sessions, commands, quirks, numbers: 0, logins: 0 }
  const transport = await httpStand((call) => answer(service, call))
  const machine = (id = profile.systems.at(-1)?.id ?? ''): Machine => {
    const found = machines.get(id)
    if (found === undefined) throw new Error(`there is no system ${id}`)
    return found
  }

  return {
    transport,
    quirks,
    sessions,
    /** Every reset that was asked for, also those that were refused. */
    commands,
    logins: () => service.logins,
    power: (id?: string) => machine(id).power,
    setPower: (power: Power, id?: string) => setPower(machine(id), power),
    /** Lets the system claim any state; `undefined` is the truth again. */
    show: (shown: string | null | undefined, id?: string) => (machine(id).shown = shown),
    async close() {
      for (const each of machines.values()) setPower(each, each.power)
      await transport.close()
    },
  }
}

interface Service {
  readonly profile: Profile
  readonly machines: ReadonlyMap<string, Machine>
  readonly sessions: Map<string, { id: string; user: string; token: string }>
  readonly commands: { system: string; resetType: unknown }[]
  readonly quirks: Quirks
  numbers: number
  logins: number
}

function machineOf(profile: SystemProfile): Machine {
  const commandMs = Number.NEGATIVE_INFINITY
  return {
    profile,
    power: 'on',
    shown: undefined,
    turning: undefined,
    timers: new Set(),
    commandMs,
  }
}

function setPower(machine: Machine, power: Power): void {
  for (const timer of machine.timers) clearTimeout(timer)
  machine.timers.clear()
  Object.assign(machine, { power, shown: undefined, turning: undefined, commandMs: -Infinity })
}

function later(machine: Machine, waitMs: number, work: () => void): void {
  machine.timers.add(setTimeout(work, waitMs))
}

const ok = (body: object): HttpReply => ({ status: 200, body })

function fail(service: Service, call: HttpCall, status: number, messageId: string): HttpReply {
  const login = `${call.headers.authorization ?? ''} ${call.headers['x-auth-token'] ?? ''}`
  return {
    status,
    body: tells.failure(service.quirks.echoes ? `${messageId} ${login}` : messageId),
  }
}

function answer(service: Service, call: HttpCall): HttpReply {
  const { quirks, profile } = service
  if (quirks.unavailable.count > 0) {
    quirks.unavailable.count -= 1
    return fail(service, call, quirks.unavailable.status, 'Base.1.8.ServiceTemporarilyUnavailable')
  }
  if (call.path === '/redfish') return ok({ v1: `${tells.root}/` })
  const slashed = call.path.endsWith('/')
  if (!slashed && profile.slash === 'wanted') return notFound(service, call)
  const isPost = call.method === 'POST' && call.path.includes('/Actions/')
  if (!slashed && (profile.slash === 'redirects' || (isPost && profile.slash !== 'either'))) {
    return { status: 308, headers: { location: `${call.path}/` }, body: '' }
  }
  const path = slashed ? call.path.slice(0, -1) : call.path
  if (path === tells.root) return ok(tells.serviceRoot(profile))
  if (!path.startsWith(`${tells.root}/`)) return notFound(service, call)
  const parts = path.slice(tells.root.length + 1).split('/')
  if (call.method === 'POST' && parts.join('/') === 'SessionService/Sessions') {
    return login(service, call)
  }
  const user = userOf(service, call)
  if (user === undefined) return fail(service, call, 401, 'Base.1.8.NoValidSession')
  switch (call.method) {
    case 'GET':
      return read(service, call, parts)
    case 'POST':
      return act(service, call, parts, user)
    case 'DELETE':
      return logout(service, call, parts)
    default:
      return fail(service, call, 405, 'Base.1.8.OperationNotAllowed')
  }
}

const notFound = (service: Service, call: HttpCall): HttpReply =>
  fail(service, call, 404, 'Base.1.8.ResourceMissingAtURI')

function userOf({ sessions }: Service, { headers }: HttpCall): string | undefined {
  const token = headers['x-auth-token']
  if (typeof token === 'string') return sessions.get(token)?.user
  const [scheme, login = ''] = (headers.authorization ?? '').split(' ')
  if (scheme !== 'Basic') return undefined
  const text = Buffer.from(login, 'base64').toString()
  return accounts.find(({ user, password }) => `${user}:${password}` === text)?.user
}

function login(service: Service, call: HttpCall): HttpReply {
  const { profile, sessions } = service
  service.logins += 1
  const asked = objectOf(call.body)
  const known = accounts.find(
    ({ user, password }) => asked?.UserName === user && asked.Password === password,
  )
  if (known === undefined) return fail(service, call, 401, 'Base.1.8.InvalidAuthenticationToken')
  if (sessions.size >= profile.sessionsMax) {
    return fail(service, call, 503, 'Base.1.8.SessionLimitExceeded')
  }
  const id = `${++service.numbers}`
  const token = `token-canary-${id}-5b1c`
  sessions.set(token, { id, user: known.user, token })
  const path = `${tells.root}/SessionService/Sessions/${id}`
  const origins = { path: '', url: `https://${call.headers.host}`, name: 'https://bmc.example' }
  const location = `${origins[profile.sessionLocation]}${path}`
  return {
    status: 201,
    headers: { 'x-auth-token': token, location },
    body: tells.session(id, known.user),
  }
}

function logout(service: Service, call: HttpCall, parts: readonly string[]): HttpReply {
  const [first, second, id] = parts
  const found = [...service.sessions.values()].find((each) => each.id === id)
  if (first !== 'SessionService' || second !== 'Sessions' || found === undefined) {
    return notFound(service, call)
  }
  service.sessions.delete(found.token)
  return { status: 204, body: '' }
}

function read(service: Service, call: HttpCall, parts: readonly string[]): HttpReply {
  const found = lookUp(service, parts, call.query)
  if (found === 'broken') return fail(service, call, 500, 'Base.1.8.InternalError')
  return found === undefined ? notFound(service, call) : ok(found)
}

function lookUp(
  service: Service,
  [first, id, third]: readonly string[],
  query: URLSearchParams,
): object | 'broken' | undefined {
  const { profile, machines, sessions, quirks } = service
  const path = `${tells.root}/${first}`
  switch (first) {
    case 'Systems': {
      if (id === undefined) {
        const from = Number(query.get('$skip') ?? 0)
        const all = quirks.empty ? [] : [...machines.keys()]
        const page = all.slice(from, from + (profile.pageSize ?? all.length))
        const next = from + page.length < all.length ? from + page.length : undefined
        return tells.collection(path, 'ComputerSystem', page, next)
      }
      if (quirks.broken.has(id)) return 'broken'
      const machine = machines.get(quirks.mixedUp.get(id) ?? id)
      if (machine === undefined) return undefined
      if (third === undefined) return systemOf(service, machine)
      return third === 'ResetActionInfo' && profile.listed === 'ActionInfo'
        ? tells.actionInfo(profile, id)
        : undefined
    }
    case 'Chassis': {
      if (id === undefined) return tells.collection(path, 'Chassis', [...machines.keys()])
      const machine = machines.get(id)
      return machine && tells.chassis(id, machine.power === 'on' ? 'On' : 'Off')
    }
    case 'Managers':
      if (id === undefined) return tells.collection(path, 'Manager', [profile.manager])
      return id === profile.manager ? tells.manager(id) : undefined
    case 'SessionService': {
      const all = [...sessions.values()]
      if (id === undefined) return tells.sessionService()
      const below = `${path}/Sessions`
      if (third === undefined)
        return tells.collection(
          below,
          'Session',
          all.map((s) => s.id),
        )
      const session = all.find((each) => each.id === third)
      return session && tells.session(session.id, session.user)
    }
    case 'AccountService': {
      const ids = accounts.map((_, index) => `${index + 1}`)
      if (id === undefined) return tells.accountService()
      if (third === undefined) return tells.collection(`${path}/Accounts`, 'ManagerAccount', ids)
      const account = accounts[Number(third) - 1]
      return account && tells.account(third, account.user, account.role)
    }
    case 'TaskService':
      return third === undefined
        ? undefined
        : tells.task(third, quirks.task.state, quirks.task.messageId)
    default:
      return undefined
  }
}

function systemOf({ profile, quirks }: Service, machine: Machine): object {
  const truth = machine.power === 'on' ? 'On' : 'Off'
  const shown = machine.shown === undefined ? (machine.turning ?? truth) : machine.shown
  const stranger = quirks.fault === 'another identity'
  const uuid = stranger ? '11111111-2222-4333-8444-555555555555' : machine.profile.uuid
  return tells.system(profile, { ...machine.profile, uuid }, shown)
}

function act(
  service: Service,
  call: HttpCall,
  [first, id = '', ...rest]: readonly string[],
  user: string,
): HttpReply {
  const { profile, machines, commands, quirks } = service
  const machine = machines.get(id)
  const action = rest.join('/')
  if (first !== 'Systems' || machine === undefined || action !== 'Actions/ComputerSystem.Reset') {
    return notFound(service, call)
  }
  const resetType = objectOf(call.body)?.ResetType
  commands.push({ system: id, resetType })
  if (quirks.liar) return { status: 204, body: '' }
  if (user === reader.user) return fail(service, call, 403, 'Base.1.8.InsufficientPrivilege')
  if (quirks.refuses) return fail(service, call, quirks.refuses.status, quirks.refuses.messageId)
  if (typeof resetType !== 'string') {
    return fail(service, call, 400, 'Base.1.8.ActionParameterMissing')
  }
  if (!profile.resetTypes.includes(resetType)) {
    return fail(service, call, 400, 'Base.1.8.ActionParameterValueNotInList')
  }
  const soon = performance.now() - machine.commandMs < profile.repeatAfterMs
  const { status, messageId } = profile.already ?? { status: 400, messageId: 'Base.1.8.Busy' }
  const same = effects[resetType]?.length === 1 && effects[resetType][0] === machine.power
  if (soon || (same && profile.already)) return fail(service, call, status, messageId)
  apply(service, machine, resetType)
  if (profile.accepted === 200) return ok(tells.failure('Base.1.8.Success'))
  if (profile.accepted === 204) return { status: 204, body: '' }
  const task = `${++service.numbers}`
  const location = `${tells.root}/TaskService/Tasks/${task}`
  return { status: 202, headers: { location }, body: tells.task(task, 'New') }
}

function apply({ profile, quirks }: Service, machine: Machine, resetType: string): void {
  const [wanted, then] = effects[resetType] ?? []
  machine.commandMs = performance.now()
  machine.shown = undefined
  if (wanted === undefined || quirks.fault === 'ignored') return
  if (quirks.fault === 'comes back on') later(machine, 200, () => (machine.power = 'on'))
  const waitMs = quirks.fault === 'late' ? 300 : wanted === 'off' ? profile.offTakesMs : 0
  const done = (): void => {
    machine.power = then ?? wanted
    machine.turning = undefined
  }
  if (waitMs === 0) return done()
  if (profile.transitional) machine.turning = 'PoweringOff'
  later(machine, waitMs, done)
}

function objectOf(text: string): Record<string, unknown> | undefined {
  try {
    const found: unknown = JSON.parse(text)
    return typeof found === 'object' && found !== null ? { ...found } : undefined
  } catch {
    return undefined
  }
}
