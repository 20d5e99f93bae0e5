/**
 * A guest of Proxmox VE, virtual machine or container, over the API of its cluster.
 *
 * Only `status: stopped` is off, and only where nobody is about to start the guest again: not the
 * HA manager, not a migration, and it does not merely sleep on disk. The end of a task is never
 * proof: for a guest of the HA manager it ends well before anything has been stopped, and a process
 * that cannot be killed survives it. It is read for what went wrong at once, a lock above all.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { defineDriver } from '../driver.ts'
import { FenceError, printable } from '../errors.ts'
import type { Wire } from '../wire.ts'
import { httpsOptions, tlsOf } from './https.ts'
import { type Api, type ApiHost, fieldsOf, type Login, openApi } from './proxmox-api.ts'
import { refusalIn } from './proxmox-failure.ts'
import {
  type Guest,
  inspect,
  listGuests,
  locate,
  missingPrivileges,
  powerOf,
  spareOf,
} from './proxmox-guest.ts'

const apiUrl = z
  .url({ protocol: /^https$/, error: 'is not an https URL like https://192.168.1.100:8006' })
  .refine((text) => !text.includes('@'), 'holds a login; write it in the secrets file')
const pin = httpsOptions.fingerprint.unwrap()

interface LoginOptions {
  readonly token_id?: string | undefined
  readonly token_secret?: string | undefined
  readonly user?: string | undefined
  readonly password?: string | undefined
}

/** What is wrong with the login, of which there has to be one, and a whole one. */
function loginFault({ token_id, token_secret, user, password }: LoginOptions): string | undefined {
  const either = 'token_id and token_secret, or user and password'
  const token = [token_id, token_secret].filter((each) => each !== undefined).length
  const person = [user, password].filter((each) => each !== undefined).length
  if (token > 0 && person > 0) {
    return `proxmox has two logins, an API token and a user; keep one of them: ${either}`
  }
  if (token + person === 2) return undefined
  if (token + person === 0) {
    return `the login of proxmox is set nowhere; write ${either}, in the secrets file`
  }
  const half = { token_id, token_secret, user, password }
  const [a, b] =
    token > 0 ? (['token_id', 'token_secret'] as const) : (['user', 'password'] as const)
  const [there, lacks] = half[a] === undefined ? [b, a] : [a, b]
  const place = 'write it in the secrets file'
  return `the option ${lacks} of proxmox is set nowhere, and ${there} is; ${place}`
}

const options = z
  .strictObject({
    api_url: z.union([apiUrl, z.array(apiUrl).min(1).max(16)]).meta({
      title: 'Address of the API, or a list of them: each node of the Proxmox cluster answers',
    }),
    vmid: z.int().min(100).max(999_999_999).meta({ title: 'Number of the guest' }),
    type: z
      .enum(['qemu', 'lxc'])
      .optional()
      .meta({ title: 'Virtual machine or container; found out if unset' }),
    node: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9-]*$/, 'is not the name of a Proxmox node')
      .optional()
      .meta({
        title: 'Where a command is tried first (with `type`), which saves looking the guest up',
      }),
    name: z
      .string()
      .min(1)
      .optional()
      .meta({ title: 'Name that the guest must have: numbers are used again' }),
    uuid: z.guid().optional().meta({ title: 'UUID that the virtual machine must have (smbios1)' }),
    token_id: z
      .string()
      .regex(/^[^\s:/=]+@[A-Za-z][\w.-]*![A-Za-z][\w.-]*$/, 'is not like user@realm!token')
      .optional()
      .meta({ title: 'Name of the API token: `USER@REALM!TOKEN`' }),
    token_secret: z
      .string()
      .regex(/^[!-~]+$/, 'holds characters that no token has')
      .optional()
      .meta({ title: 'The API token', secret: true }),
    user: z
      .string()
      .regex(/^[^\s:/]+@[A-Za-z][\w.-]*$/, 'is not like user@realm')
      .optional()
      .meta({ title: 'Login name instead of a token: `USER@REALM`' }),
    password: z.string().min(1).optional().meta({ title: 'Login password', secret: true }),
    ...httpsOptions,
    fingerprint: z
      .union([pin, z.array(pin).min(1)])
      .optional()
      .meta({
        title:
          'SHA-256 fingerprint of the certificate, or a list: one for each address in `api_url`',
      }),
  })
  .superRefine((options, { addIssue }) => {
    const message = loginFault(options)
    if (message !== undefined) addIssue({ code: 'custom', message })
  })
  .refine(
    ({ api_url, fingerprint }) =>
      !Array.isArray(fingerprint) || fingerprint.length === [api_url].flat().length,
    { path: ['fingerprint'], message: 'has another number of entries than api_url' },
  )

export type Options = z.output<typeof options>

/** After so many seconds of `quit` a stop becomes SIGTERM, and then SIGKILL; by default 60. */
const QUIT_S = '5'
/** So long an accepted command is watched for an error at once. */
const WATCH_MS = 600
const WATCH_GAP_MS = 60

export const proxmox = defineDriver({
  name: 'proxmox',
  title: 'Virtual machines and containers of Proxmox VE',
  options,
  capabilities: {
    hardOff: true,
    statusAuthoritative: true,
    isolation: 'power',
    sharedFate: 'provider-api',
    // The HA manager passes through states in between.
    readGapMs: 1_000,
    // Until the HA manager has certainly carried out, or forgotten, what it was told.
    lateMs: 120_000,
    // Proxmox's own HA manager starts what it is told to keep running.
    returnsMs: 120_000,
    // A lock that is waited for, `quit`, SIGTERM, SIGKILL; or two rounds of the HA manager.
    settleMs: 40_000,
    vouches: true,
    timeoutMs: 10_000,
  },

  plug: 'vmid',

  // Guests of one cluster need not wait for each other: no box of ours is weak.
  endpoint: ({ api_url, vmid }) => {
    const { host } = new URL([api_url].flat()[0] ?? '')
    return vmid === undefined ? host : `${host}/${vmid}`
  },

  async status(options, wire) {
    const api = await open(options, wire)
    const guest = await inspect(api, lookedUp(options), { uuid: true })
    const { power, raw } = powerOf(guest)
    const identity = identityOf(guest)
    // A host that was cut off from its cluster knows the guests as they were.
    const outdated = power === 'off' && (await lacksQuorum(api))
    return outdated
      ? { power: 'unknown', raw: `${raw}, says an API host without quorum`, identity }
      : { power, raw, identity, spare: spareOf(guest) }
  },

  powerOff: (options, wire) => press(options, wire, 'stop'),
  powerOn: (options, wire) => press(options, wire, 'start'),

  async verify(options, wire) {
    const api = await open(options, wire)
    const lacking = await missingPrivileges(api, options.vmid)
    if (lacking.length > 0) {
      const detail = `${whoOf(options)} lacks ${lacking.join(' and ')} on /vms/${options.vmid}`
      throw new FenceError('privilege', detail, 'give it a role with both; a token needs its own')
    }
    const guest = await inspect(api, lookedUp(options), { uuid: true })
    const { power, raw } = powerOf(guest)
    const barrier = barrierOf(guest, options)
    if (barrier !== undefined) throw new FenceError('locked', `lock: ${barrier}`)
    if (guest.ha !== undefined && (await lacksQuorum(api))) {
      throw new FenceError('refused', 'the Proxmox cluster has no quorum, its HA manager waits')
    }
    const hosts = [options.api_url].flat().length
    const alone = hosts > 1 ? '' : '; there is no other API host if this one is down'
    const what = `${guest.type} ${guest.vmid} (${guest.name})`
    const detail = `lets ${whoOf(options)} stop ${what}, power is ${power}: ${raw}${alone}`
    return { identity: identityOf(guest), detail }
  },

  async list(options, wire) {
    return await listGuests(await open(options, wire))
  },
})

function open(options: Omit<Options, 'vmid'>, wire: Wire): Promise<Api> {
  const { api_url, fingerprint, token_id, token_secret, user, password } = options
  const hosts = [api_url].flat().map((url, at): ApiHost => {
    const own = Array.isArray(fingerprint) ? fingerprint[at] : fingerprint
    const base = url.replace(/\/(api2\/json\/?)?$/, '')
    return { url: base, tls: tlsOf({ ...options, fingerprint: own }) }
  })
  const login: Login =
    token_id !== undefined && token_secret !== undefined
      ? { by: 'token', id: token_id, secret: token_secret }
      : { by: 'password', user: user ?? '', password: password ?? '' }
  return openApi(hosts, login, wire)
}

/** Where a guest is, only the list of the whole cluster says; a single node may be outdated. */
const lookedUp = (options: Options): Options => ({ ...options, node: undefined })

const whoOf = ({ token_id, user = '' }: Options): string => token_id ?? user

/** Only root itself may ignore a lock; no token may, also none of root. */
const skipsLocks = ({ user }: Options): boolean => user === 'root@pam'

/** The uuid that the guest sees as its hardware's; without one, number and name have to do. */
function identityOf({ uuid, type, vmid, name }: Guest): string {
  return uuid ?? `${type}/${vmid} ${name}`
}

/** The lock that would keep us from stopping the guest now. */
function barrierOf({ lock, type, ha }: Guest, options: Options): string | undefined {
  const harmless = ha !== undefined || (type === 'lxc' && lock === 'mounted')
  return harmless || skipsLocks(options) ? undefined : lock
}

/** Told only to those who may look at the cluster (`Sys.Audit`). */
async function lacksQuorum(api: Api): Promise<boolean> {
  const status = await api.get('/cluster/status').catch((error: unknown) => {
    if (error instanceof FenceError && error.failure === 'privilege') return []
    throw error
  })
  const entries = Array.isArray(status) ? status : []
  return entries.some((entry) => entry?.type === 'cluster' && Number(entry.quorate) === 0)
}

/** What is as good as done. */
const already = {
  stop: /\b(?:VM|CT) \d+ not running\b/,
  start: /\b(?:VM|CT) \d+ already running\b/,
}

async function press(options: Options, wire: Wire, verb: keyof typeof already): Promise<void> {
  const api = await open(options, wire)
  const { name, uuid, node } = options
  // Numbers are used again: what the config names is compared right before the command.
  const compares = name !== undefined || uuid !== undefined || node !== undefined
  const guest = compares
    ? await inspect(api, options, { uuid: uuid !== undefined })
    : await locate(api, options)
  const form = {
    ...(verb === 'stop' && guest.type === 'qemu' && { timeout: QUIT_S }),
    ...(verb === 'stop' && skipsLocks(options) && { skiplock: '1' }),
  }
  const done = already[verb]
  try {
    const task = String(await api.post(`${guest.path}/status/${verb}`, form))
    const outcome = await earlyOutcome(api, wire, task)
    if (outcome === undefined || done.test(outcome)) return
    throw (
      refusalIn(outcome) ?? new FenceError('garbled', `task ended: ${printable(outcome)}`, readLog)
    )
  } catch (error) {
    if (!(error instanceof FenceError && done.test(error.message))) throw error
  }
}

const readLog = "read the task's log in Proxmox VE; until then count on a late effect"

/** What went wrong with a task, if it did so at once. Says nothing of tasks that are well. */
async function earlyOutcome(api: Api, wire: Wire, task: string): Promise<string | undefined> {
  const [, node] = /^UPID:([\w-]+):/.exec(task) ?? []
  if (node === undefined) {
    throw new FenceError('garbled', `instead of a task there is ${printable(task, 60)}`)
  }
  const watchMs = Math.min(WATCH_MS, wire.remainingMs() / 2)
  const path = `/nodes/${node}/tasks/${encodeURIComponent(task)}/status`
  const watching = watch(api, wire, path, watchMs)
  const patience = sleep(watchMs, undefined, { signal: wire.signal })
  // The command has been accepted: that its task cannot be read is no failure of it.
  const outcome = await Promise.race([watching, patience]).catch(() => undefined)
  watching.catch(() => undefined)
  patience.catch(() => undefined)
  return outcome === 'OK' || outcome?.startsWith('WARNINGS') ? undefined : outcome
}

async function watch(api: Api, wire: Wire, path: string, watchMs: number) {
  const untilMs = wire.remainingMs() - watchMs
  while (wire.remainingMs() > untilMs) {
    await sleep(WATCH_GAP_MS, undefined, { signal: wire.signal })
    const { status, exitstatus } = fieldsOf(await api.get(path), 'a task')
    if (status === 'stopped') return String(exitstatus)
  }
  return undefined
}
