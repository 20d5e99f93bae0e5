/**
 * The API of a Proxmox VE cluster, asked through whichever of its hosts answers: every node passes
 * on what concerns another one.
 *
 * A question goes to the next host when one fails, or is slow; a host that is switched off does not
 * say so. A command goes once, to the host that has just answered, and nowhere else.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { FenceError, type FenceFailure, printable } from '../errors.ts'
import type { HttpAnswer, HttpRequest, TlsPolicy } from '../http.ts'
import type { Kind, Wire } from '../wire.ts'
import { refusalOf } from './proxmox-failure.ts'

export interface ApiHost {
  /** Without `/api2/json`. */
  readonly url: string
  readonly tls: TlsPolicy
}

export type Login =
  | { readonly by: 'token'; readonly id: string; readonly secret: string }
  | { readonly by: 'password'; readonly user: string; readonly password: string }

export interface Api {
  /** The `data` of an answer. */
  get(path: string): Promise<unknown>
  /** The `data` that an accepted command is answered with. Sent once. */
  post(path: string, form: Readonly<Record<string, string>>): Promise<unknown>
}

type Request = Pick<HttpRequest, 'method' | 'headers' | 'body'>

/** So long a host may think before the next one is asked as well. */
const SLOW_MS = 500

/** Failures of one host; of everything else the next one would say the same. */
const ofTheHost: ReadonlySet<FenceFailure> = new Set([
  'unreachable',
  'timeout',
  'cut',
  'dropped',
  'garbled',
  'certificate',
])

/** Logs in where that takes a request of its own. */
export async function openApi(hosts: readonly ApiHost[], login: Login, wire: Wire): Promise<Api> {
  let order = hosts
  let headers: Readonly<Record<string, string>> = {}

  const send = async (host: ApiHost, kind: Kind, path: string, request: Request) => {
    const url = `${host.url}/api2/json${path}`
    const all = { ...headers, ...request.headers }
    return dataOf(await wire.http({ ...request, url, headers: all, tls: host.tls }, kind), kind)
  }

  async function ask(path: string, request: Request): Promise<unknown> {
    const { host, answer } = await firstToAnswer(order, wire.signal, (each) =>
      send(each, 'question', path, request),
    )
    order = [host, ...order.filter((each) => each !== host)]
    return answer
  }

  if (login.by === 'token') headers = { authorization: `PVEAPIToken=${login.id}=${login.secret}` }
  else headers = ticketOf(await ask('/access/ticket', credentialsOf(login)))

  return {
    get: (path) => ask(path, { method: 'GET' }),
    async post(path, form) {
      const [host] = order
      if (host === undefined) throw new FenceError('options', 'there is no API host')
      return await send(host, 'command', path, formOf(form))
    },
  }
}

function formOf(form: Readonly<Record<string, string>>): Request {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  return { method: 'POST', headers, body: new URLSearchParams(form).toString() }
}

function credentialsOf({ user, password }: Extract<Login, { by: 'password' }>): Request {
  return formOf({ username: user, password })
}

/** The headers that a ticket stands for; the second one is asked for with every command. */
function ticketOf(data: unknown): Readonly<Record<string, string>> {
  const { ticket, CSRFPreventionToken: csrf, NeedTFA: second } = fieldsOf(data, 'a ticket')
  if (second) {
    throw new FenceError('auth', 'it asks for a second factor', 'use an API token, or another user')
  }
  if (typeof ticket !== 'string' || typeof csrf !== 'string') {
    throw new FenceError('garbled', 'the login was answered without a ticket')
  }
  return { cookie: `PVEAuthCookie=${encodeURIComponent(ticket)}`, csrfpreventiontoken: csrf }
}

/** The fields of an object in an answer. What else there is may be a ticket, and is not told. */
export function fieldsOf(data: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof data === 'object' && data !== null && !Array.isArray(data)) return { ...data }
  const found = data === null ? 'nothing' : Array.isArray(data) ? 'a list' : `a ${typeof data}`
  throw new FenceError('garbled', `instead of ${what} there is ${found}`)
}

function dataOf(answer: HttpAnswer, kind: Kind): unknown {
  if (answer.status !== 200) throw refusalOf(answer, kind)
  let found: unknown
  try {
    found = JSON.parse(answer.body)
  } catch {
    const type = printable(answer.headers['content-type'] ?? 'no type', 40)
    throw new FenceError('garbled', `${answer.body.length} characters of ${type} are not JSON`)
  }
  const { data } = fieldsOf(found, 'an answer of Proxmox VE')
  if (data === undefined) throw new FenceError('garbled', 'the answer holds no data')
  return data
}

/** The first good answer. The next host is asked when one fails, or has been slow. */
async function firstToAnswer<T>(
  hosts: readonly ApiHost[],
  signal: AbortSignal,
  attempt: (host: ApiHost) => Promise<T>,
): Promise<{ host: ApiHost; answer: T }> {
  const failed: { host: ApiHost; error: FenceError }[] = []
  const running = new Map<ApiHost, Promise<{ host: ApiHost; answer: T } | undefined>>()
  const begin = (host: ApiHost): void => {
    const trying = attempt(host).then(
      (answer) => ({ host, answer }),
      (error: unknown) => {
        if (!(error instanceof FenceError) || !ofTheHost.has(error.failure)) throw error
        failed.push({ host, error })
        running.delete(host)
        return undefined
      },
    )
    running.set(host, trying)
  }

  const waiting = [...hosts]
  while (waiting.length > 0 || running.size > 0) {
    const next = waiting.shift()
    if (next !== undefined) begin(next)
    const answered = new AbortController()
    const ends = AbortSignal.any([signal, answered.signal])
    // Without another host there is nothing to be impatient for.
    const slow = waiting.length === 0 ? [] : [sleep(SLOW_MS, undefined, { signal: ends })]
    const found = await Promise.race([...running.values(), ...slow.map(quietly)])
    answered.abort()
    if (found !== undefined) return found
  }
  throw summaryOf(failed)
}

const quietly = (slow: Promise<undefined>): Promise<undefined> => slow.catch(() => undefined)

function summaryOf(failed: readonly { host: ApiHost; error: FenceError }[]): FenceError {
  const [first] = failed
  if (first !== undefined && failed.length === 1) return first.error
  const telling = failed.find(({ error }) => error.failure !== 'unreachable') ?? first
  const each = failed.map(({ host, error }) => `${new URL(host.url).host} ${error.failure}`)
  return new FenceError(telling?.error.failure ?? 'unreachable', `no API host: ${each.join(', ')}`)
}
