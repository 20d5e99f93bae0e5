/**
 * The API of a Proxmox VE cluster, written from its documentation and not from a client: one HTTPS
 * server for each node, tokens and tickets, tasks, permissions that filter without a word, a list
 * of guests that is always somewhat old. `proxmox-double.test.ts` lets a foreign client use it.
 */
import type { Fault } from './contract.ts'
import { type HttpCall, type HttpReply, type HttpStand, httpStand } from './http-stand.ts'
import { createGuests, type Guest, type Mood } from './proxmox-guests.ts'

/** Who may log in, and what they may do. */
export interface Account {
  /** `USER@REALM`, or `USER@REALM!TOKENID`. */
  readonly id: string
  readonly secret: string
  /** Privileges on each guest; `all` holds for the others. The value says whether they propagate. */
  readonly privileges: Readonly<Record<string, Readonly<Record<string, 0 | 1>>>>
  /** May look at the whole cluster (`Sys.Audit` on `/`). */
  readonly audits: boolean
  /** Logs in with a second factor. */
  readonly secondFactor?: boolean
}

const power = { 'VM.PowerMgmt': 1, 'VM.Audit': 1 } as const

export const token = {
  id: 'fence@pve!picket',
  secret: 'aaaaaaaa-bbbb-4ccc-8ddd-canary004711',
  // A right that was given to one guest alone does not propagate, and is a right all the same.
  privileges: { 100: { 'VM.PowerMgmt': 0, 'VM.Audit': 0 }, all: power },
  audits: false,
} satisfies Account
export const root = {
  id: 'root@pam',
  secret: 'root canary/+4711',
  privileges: { all: power },
  audits: true,
} satisfies Account

interface Task {
  readonly node: string
  readonly owner: string
  readonly type: string
  readonly vmid: number
  exitstatus: string | undefined
}

type Handler = (call: HttpCall, caller: Account, host: string, parts: string[]) => HttpReply

export type Double = Awaited<ReturnType<typeof proxmoxDouble>>

const data = (value: unknown): HttpReply => ({ status: 200, body: { data: value } })

/** Starts a cluster of two nodes, `pve1` and `pve2`, without guests. */
export async function proxmoxDouble(accounts: readonly Account[] = [token, root]) {
  const nodes = ['pve1', 'pve2']
  const mood: Mood = { actMs: 20, secondMs: 2, ignores: false, comesBackMs: undefined }
  const machines = createGuests(mood, nodes)
  const { guests } = machines
  const tasks = new Map<string, Task>()
  const log: string[] = []
  const down = new Set<string>()
  const hosts = new Map<string, HttpStand>()
  const quirks = {
    quorate: true,
    oldVersion: false,
    /** The list of guests is empty, as for somebody who may see none. */
    hidden: false,
    /** This guest is a template. */
    template: undefined as number | undefined,
    /** Numbers of guests are text, which they are not; for a client that wants it so. */
    textIds: false,
    fault: undefined as Fault | undefined,
  }
  let cache: Readonly<Record<string, unknown>>[] = []
  let serial = 0

  /** Newer versions say in the body what is wrong, older ones beside the status alone. */
  function refuse(status: number, message: string, errors?: Record<string, string>): HttpReply {
    const said = quirks.oldVersion ? {} : { message: `${message}\n` }
    return { status, reason: message, body: { data: null, ...said, ...(errors && { errors }) } }
  }

  /**
   * Proxmox VE has no such call and says so in these words. They are part of what is imitated: a
   * driver that asks for what does not exist has to read them as an error, never as a power.
   */
  function unknownMethod(method: string, path: string): HttpReply {
    return refuse(501, `Method '${method} ${path}' not implemented`)
  }

  function callerOf({ method, headers }: HttpCall): Account | HttpReply {
    const { authorization = '', cookie = '' } = headers
    const [, id = '', secret = ''] = /^PVEAPIToken=([^=]+!\w+)=(.*)$/.exec(authorization) ?? []
    if (id !== '') {
      const found = accounts.find((account) => account.id === id)
      if (found === undefined) return refuse(401, `no such token '${id.split('!')[1]}' for user`)
      return found.secret === secret ? found : refuse(401, 'invalid token value!')
    }
    const [, ticket = ''] = /PVEAuthCookie=([^;]+)/.exec(cookie) ?? []
    if (ticket === '') return refuse(401, 'No ticket')
    const found = accounts.find(({ id: user }) => decodeURIComponent(ticket) === ticketOf(user))
    if (found === undefined) return refuse(401, 'invalid PVE ticket')
    const csrf = headers.csrfpreventiontoken
    if (method !== 'GET' && csrf !== csrfOf(found.id)) {
      return refuse(401, 'Permission denied - invalid csrf token')
    }
    return found
  }

  function logIn({ body }: HttpCall): HttpReply {
    const form = new URLSearchParams(body)
    const user = form.get('username') ?? ''
    const found = accounts.find(({ id }) => id === user && !id.includes('!'))
    if (found?.secret !== form.get('password')) return refuse(401, 'authentication failure')
    if (found?.secondFactor) return data({ username: user, ticket: 'PVE:!tfa!x', NeedTFA: 1 })
    const ticket = ticketOf(user)
    return data({ username: user, ticket, CSRFPreventionToken: csrfOf(user) })
  }

  const mayOn = (caller: Account, vmid: number): Readonly<Record<string, 0 | 1>> =>
    caller.privileges[String(vmid)] ?? caller.privileges.all ?? {}

  function lacks(caller: Account, vmid: number, privilege: string): HttpReply | undefined {
    if (Object.hasOwn(mayOn(caller, vmid), privilege)) return undefined
    return refuse(403, `Permission check failed (/vms/${vmid}, ${privilege})`)
  }

  function statusOf(guest: Guest): string {
    return guest.shownStatus ?? (guest.power === 'on' ? 'running' : 'stopped')
  }

  function refresh(): void {
    cache = [...guests.values()].map((guest) => ({
      id: `${guest.type}/${guest.vmid}`,
      vmid: quirks.textIds ? String(guest.vmid) : guest.vmid,
      type: guest.type,
      node: guest.node,
      name: guest.name,
      status: down.has(guest.node) ? 'unknown' : statusOf(guest),
      template: guest.vmid === quirks.template ? 1 : 0,
      ...(guest.ha !== undefined && { hastate: guest.ha }),
      ...(guest.lock !== undefined && { lock: guest.lock }),
    }))
  }

  function current(guest: Guest): HttpReply {
    const status = statusOf(guest)
    const qmpstatus = status === 'running' ? guest.qmpstatus : status
    return data({
      vmid: guest.vmid,
      name: guest.name,
      status,
      uptime: guest.power === 'on' ? 100 : 0,
      ha: guest.ha === undefined ? { managed: 0 } : { managed: 1, state: guest.ha },
      ...(guest.type === 'qemu' && { qmpstatus }),
      ...(guest.power === 'on' && { pid: 4711 }),
      ...(guest.lock !== undefined && { lock: guest.lock }),
    })
  }

  function config(guest: Guest): HttpReply {
    const { name, type } = guest
    if (type === 'lxc') return data({ hostname: name, arch: 'amd64', digest: 'x' })
    const uuid = quirks.fault === 'another identity' ? strangeUuid : guest.uuid
    const smbios1 = `base64=1,manufacturer=UHJveG1veA==,uuid=${uuid}`
    return data({ name, cores: 2, digest: 'x', ...(uuid !== '' && { smbios1 }) })
  }

  function begin(type: string, guest: Guest, caller: Account): [string, (how: string) => void] {
    serial += 1
    const [pid, start, at] = [serial, 1, 0x65000000].map((n) => n.toString(16).padStart(8, '0'))
    const upid = `UPID:${guest.node}:${pid}:${start}:${at}:${type}:${guest.vmid}:${caller.id}:`
    const owner = caller.id
    const task: Task = { node: guest.node, owner, type, vmid: guest.vmid, exitstatus: undefined }
    tasks.set(upid, task)
    return [upid, (how) => (task.exitstatus = how)]
  }

  /** Parameters that the schema does not know are an error, whatever they say. */
  const schemas: Readonly<Record<string, readonly string[]>> = {
    'qemu stop': ['timeout', 'overrule-shutdown', 'skiplock', 'keepActive', 'migratedfrom'],
    'lxc stop': ['overrule-shutdown', 'skiplock'],
    'qemu start': ['timeout', 'skiplock', 'stateuri', 'migratedfrom', 'machine', 'force-cpu'],
    'lxc start': ['skiplock', 'debug'],
    'qemu reset': ['skiplock'],
  }
  const rootOnly = ['skiplock', 'keepActive', 'migratedfrom', 'stateuri']

  function press(verb: string, guest: Guest, call: HttpCall, caller: Account): HttpReply {
    const known = schemas[`${guest.type} ${verb}`]
    if (known === undefined) return unknownMethod(call.method, call.path)
    const form = new URLSearchParams(call.body)
    for (const key of form.keys()) {
      const why = !known.includes(key)
        ? 'property is not defined in schema and the schema does not allow additional properties'
        : rootOnly.includes(key) && caller.id !== 'root@pam'
          ? 'Only root may use this option.'
          : key === 'overrule-shutdown' && guest.ha !== undefined
            ? 'Not applicable for HA resources.'
            : undefined
      if (why) return refuse(400, 'Parameter verification failed.', { [key]: why })
    }
    const skips = form.get('skiplock') === '1'
    if (verb === 'reset') {
      if (guest.power === 'off') return refuse(500, `VM ${guest.vmid} not running`)
      const [upid, end] = begin('qmreset', guest, caller)
      // A paused guest does not run after it, and the process stays the same.
      if (guest.qmpstatus !== 'running') guest.qmpstatus = 'prelaunch'
      end('OK')
      return data(upid)
    }
    const fork = guest.type === 'qemu' ? 'qm' : 'vz'
    const word = guest.type === 'lxc' && (guest.power === 'on' ? 'already running' : 'not running')
    if (word && word === (verb === 'stop' ? 'not running' : 'already running')) {
      return refuse(500, `CT ${guest.vmid} ${word}`)
    }
    if (verb === 'start' && !quirks.quorate) return refuse(500, 'cluster not ready - no quorum?')
    if (guest.ha !== undefined) {
      const [upid, end] = begin(`ha${verb}`, guest, caller)
      const sid = `${guest.type === 'qemu' ? 'vm' : 'ct'}:${guest.vmid}`
      if (quirks.quorate) machines.askManager(guest, verb === 'stop' ? 'stopped' : 'started', end)
      else end(`command 'ha-manager crm-command stop ${sid} 0' failed: exit code 255`)
      return data(upid)
    }
    const [upid, end] = begin(`${fork}${verb}`, guest, caller)
    const seconds = Number(form.get('timeout') ?? machines.quitSeconds)
    if (verb === 'stop') machines.stop(guest, skips, seconds, end)
    else machines.start(guest, skips, end)
    return data(upid)
  }

  const ofGuest: Handler = (call, caller, host, [node = '', type = '', id = '', verb = '']) => {
    const guest = guests.get(Number(id))
    const post = call.method === 'POST'
    const missing = lacks(caller, Number(id), post ? 'VM.PowerMgmt' : 'VM.Audit')
    if (missing) return missing
    if (down.has(node) && node !== host) return refuse(595, 'No route to host')
    if (guest?.node !== node || guest.type !== type) {
      const file = `nodes/${node}/${type === 'qemu' ? 'qemu-server' : 'lxc'}/${id}.conf`
      return refuse(500, `Configuration file '${file}' does not exist`)
    }
    if (!post && verb === 'status/current') return current(guest)
    if (!post && verb === 'config') return config(guest)
    if (post && verb.startsWith('status/')) return press(verb.slice(7), guest, call, caller)
    return unknownMethod(call.method, call.path)
  }

  const ofTask: Handler = (_, caller, __, [node = '', upid = '']) => {
    const task = tasks.get(decodeURIComponent(upid))
    if (task === undefined || task.node !== node) return refuse(500, 'no such task')
    if (task.owner !== caller.id) return refuse(403, `Permission check failed (/nodes/${node})`)
    const { exitstatus, type, vmid } = task
    const state =
      exitstatus === undefined ? { status: 'running' } : { status: 'stopped', exitstatus }
    return data({ upid: decodeURIComponent(upid), node, type, id: String(vmid), ...state })
  }

  const routes: readonly [method: RegExp, path: RegExp, handler: Handler][] = [
    [/GET/, /^\/version$/, () => data({ version: '9.0.3', release: '9.0' })],
    [/GET/, /^\/nodes$/, () => data(nodes.map((node) => ({ node, status: 'online' })))],
    [
      /GET/,
      /^\/cluster\/resources$/,
      (_, caller) => {
        const seen = ({ vmid }: (typeof cache)[number]) => 'VM.Audit' in mayOn(caller, Number(vmid))
        return data(quirks.hidden ? [] : cache.filter(seen))
      },
    ],
    [
      /GET/,
      /^\/cluster\/status$/,
      (_, caller, host) =>
        caller.audits
          ? data([
              { type: 'cluster', name: 'lab', nodes: 2, quorate: quirks.quorate ? 1 : 0 },
              ...nodes.map((name) => ({ type: 'node', name, local: name === host ? 1 : 0 })),
            ])
          : refuse(403, 'Permission check failed (/, Sys.Audit)'),
    ],
    [
      /GET/,
      /^\/access\/permissions$/,
      ({ query }, caller) => {
        const path = query.get('path') ?? ''
        const vmid = Number(path.replace('/vms/', ''))
        return data({ [path]: path.startsWith('/vms/') ? mayOn(caller, vmid) : {} })
      },
    ],
    [/GET/, /^\/nodes\/([\w-]+)\/tasks\/([^/]+)\/status$/, ofTask],
    [
      /GET/,
      /^\/nodes\/([\w-]+)\/(qemu|lxc)$/,
      (_, caller, __, [node, type]) =>
        data(
          [...guests.values()]
            .filter((guest) => guest.node === node && guest.type === type)
            .filter(({ vmid }) => 'VM.Audit' in mayOn(caller, vmid))
            .map((guest) => ({
              vmid: quirks.textIds ? String(guest.vmid) : guest.vmid,
              name: guest.name,
              status: statusOf(guest),
            })),
        ),
    ],
    [/GET|POST/, /^\/nodes\/([\w-]+)\/(qemu|lxc)\/(\d+)\/([\w/]+)$/, ofGuest],
  ]

  function answer(host: string, call: HttpCall): HttpReply {
    const path = call.path.replace(/^\/api2\/json/, '')
    log.push(`${host} ${call.method} ${path} ${path === '/access/ticket' ? '' : call.body}`.trim())
    if (call.method === 'POST' && path === '/access/ticket') return logIn(call)
    const caller = callerOf(call)
    if ('status' in caller) return caller
    const found = routes.find(([method, at]) => method.test(call.method) && at.test(path))
    if (found === undefined) return unknownMethod(call.method, path)
    const [, at, handler] = found
    return handler(call, caller, host, at.exec(path)?.slice(1) ?? [])
  }

  for (const node of nodes) hosts.set(node, await httpStand((call) => answer(node, call)))

  return {
    /** The API of each node. */
    hosts: hosts as ReadonlyMap<string, HttpStand>,
    guests: guests as ReadonlyMap<number, Guest>,
    add(...args: Parameters<typeof machines.add>) {
      const guest = machines.add(...args)
      refresh()
      return guest
    },
    put: machines.put,
    die: machines.die,
    mood,
    quirks,
    /** What has come in, in order: `pve1 POST /nodes/… timeout=5`. */
    log: log as readonly string[],
    /** Brings the list of all guests up to date; until then it says what it said. */
    refresh,
    /** The node is gone: nothing can be passed on to it. */
    lose: (node: string) => down.add(node),
    async close() {
      machines.halt()
      await Promise.all([...hosts.values()].map((host) => host.close()))
    },
  }
}

const ticketOf = (user: string): string => `PVE:${user}:65000000::c2ln+bmF0/dXJl==`
const csrfOf = (user: string): string => `65000000:${Buffer.from(user).toString('hex')}`
const strangeUuid = '99999999-9999-4999-8999-999999999998'
