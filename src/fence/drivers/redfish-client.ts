/**
 * One conversation with a Redfish service: the login, the session that is always deleted again,
 * GETs that are asked anew while a BMC restarts, and commands that never are.
 *
 * @see DMTF DSP0266: 7 (protocol), 8.6 (errors), 13.3 (sessions).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createMask } from '../../foreign/mask.ts'
import { FenceError, printable } from '../errors.ts'
import type { HttpAnswer, TlsPolicy } from '../http.ts'
import type { Kind, Wire } from '../wire.ts'
import { isObject, objectOf, type Resource, refusalOf } from './redfish-answer.ts'

/** Where the service is, and who we are there. */
export interface Access {
  readonly base: string
  readonly user: string
  readonly password: string
  readonly auth: 'basic' | 'session'
  readonly tls: TlsPolicy
  /** Where sessions are begun; asked only for `auth: session`. */
  readonly sessions: (bmc: Conversation) => Promise<string>
}

interface Session {
  readonly token: string
  readonly path: string
}

/** What is kept from one conversation to the next. */
export interface Habits {
  /** This firmware finds nothing without a slash at the end of a path. */
  slash: boolean
  /** Sessions whose end was not seen: the deadline came first, or a more urgent command. */
  readonly leftovers: Session[]
}

export interface Conversation {
  /** A resource; asked for again while the BMC restarts and there is time. */
  get(link: string): Promise<Resource>
  /** The same, once and briefly; `undefined` whatever goes wrong. */
  glance(link: string): Promise<Resource | undefined>
  /** A command. Never repeated; whatever the answer is, it is returned. */
  post(link: string, body: object): Promise<HttpAnswer>
  /** A foreign text, fit for a log and without our logins. */
  tell(text: string): string
}

const ATTEMPTS_MAX = 4
const PAUSE_MS = 500
/** With less time left than this a GET is not asked again. */
const ROOM_MS = 2_000
const HOPS_MAX = 2
/** How long is waited for what does not decide anything. */
const BRIEFLY_MS = 2_000
const LEFTOVERS_MAX = 8

/** Logs in where the config says so, does the work, and logs out whatever came of it. */
export async function converse<T>(
  { access, habits, wire }: Terms,
  work: (bmc: Conversation) => Promise<T>,
  /** Whether there is time to end old sessions as well. */
  leisure = false,
): Promise<T> {
  const { user, password } = access
  const basic = Buffer.from(`${user}:${password}`).toString('base64')
  const terms = { access, habits, wire }
  if (access.auth === 'basic') {
    return work(conversation(terms, { authorization: `Basic ${basic}` }, [basic]))
  }
  const session = await logIn(terms)
  try {
    return await work(conversation(terms, { 'x-auth-token': session.token }, [session.token]))
  } finally {
    await logOut(terms, session, [session, ...(leisure ? habits.leftovers.splice(0) : [])])
  }
}

export interface Terms {
  readonly access: Access
  readonly habits: Habits
  readonly wire: Wire
}

type Headers = Readonly<Record<string, string>>

function conversation(terms: Terms, login: Headers, secrets: readonly string[]): Conversation {
  const mask = createMask([...secrets, terms.access.password])
  // Masked before it is cut: half a secret would not be recognised any more.
  const tell = (text: string): string => printable(mask(text))
  const read = async (link: string): Promise<Resource> => {
    const answer = await ask(terms, { method: 'GET', link, headers: login })
    if (answer.status !== 200) throw refusalOf(answer, tell, 'question')
    const found = objectOf(answer.body)
    if (found === undefined) throw new FenceError('garbled', `"${tell(answer.body)}" at ${link}`)
    return found
  }
  return {
    tell,
    get: (link) => patiently(terms.wire, () => read(link)),
    glance: (link) => briefly(terms.wire, read(link)),
    post: (link, body) => ask(terms, { method: 'POST', link, headers: login, body }, 'command'),
  }
}

/** Asks again where the failure may pass soon: a BMC that restarts its service, or is crowded. */
async function patiently<T>(wire: Wire, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const passing = error instanceof FenceError && ['busy', 'cut'].includes(error.failure)
      if (!passing || attempt === ATTEMPTS_MAX || wire.remainingMs() < ROOM_MS) throw error
      // When the wait is ended from outside, the wire lets nothing out any more.
      await sleep(PAUSE_MS, undefined, { signal: wire.signal }).catch(() => undefined)
    }
  }
}

/** What comes of it within a short time; `undefined` for a failure, which is nobody's concern. */
async function briefly<T>(wire: Wire, work: Promise<T>): Promise<T | undefined> {
  const patience = new AbortController()
  // What did decide must still be told before the deadline.
  const waitMs = Math.min(BRIEFLY_MS, wire.remainingMs() / 2)
  const ended = sleep(waitMs, undefined, { signal: patience.signal })
  try {
    return await Promise.race([work.catch(() => undefined), ended.catch(() => undefined)])
  } finally {
    patience.abort()
  }
}

interface Question {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly link: string
  readonly headers: Headers
  readonly body?: object
}

/**
 * One request, sent on where the same service names another path for it. A redirect says that
 * nothing was done; one that leads away from the service would be given our login, and is not
 * followed.
 */
async function ask(
  { access, habits, wire }: Terms,
  { method, link, headers, body }: Question,
  kind: Kind = 'question',
): Promise<HttpAnswer> {
  let url = urlOf(access.base, link)
  if (habits.slash) url.pathname = slashed(url.pathname)
  const all = {
    ...headers,
    'odata-version': '4.0',
    ...(body !== undefined && { 'content-type': 'application/json' }),
  }
  const text = body === undefined ? undefined : JSON.stringify(body)
  for (let hops = 0; ; hops++) {
    const request = { method, url: url.href, headers: all, body: text, tls: access.tls }
    const answer = await wire.http(request, kind)
    const next = hops < HOPS_MAX ? nextOf(method, kind, url, answer) : undefined
    if (next === undefined) {
      // Only a path that was found shows that it was the slash.
      if (hops > 0 && answer.status < 300 && url.pathname.endsWith('/')) habits.slash = true
      return answer
    }
    url = next
  }
}

/** Where to ask instead. */
function nextOf(
  method: string,
  kind: Kind,
  url: URL,
  { status, headers }: HttpAnswer,
): URL | undefined {
  const withSlash = new URL(slashed(url.pathname), url)
  const hasSlash = url.pathname === withSlash.pathname
  if (status === 404 && kind === 'question' && !hasSlash) return withSlash
  if (![301, 302, 307, 308].includes(status)) return undefined
  const to = headers.location ?? ''
  if (!URL.canParse(to, url.href)) return undefined
  const next = new URL(to, url)
  if (next.origin !== url.origin || next.href === url.href) return undefined
  // Only 307 and 308 promise to keep the method; a mere slash is plain enough.
  const same = method === 'GET' || status > 302 || next.pathname === withSlash.pathname
  return same ? next : undefined
}

const slashed = (path: string): string => (path.endsWith('/') ? path : `${path}/`)

/** A link of the service. One that leads to another service is not for our login. */
function urlOf(base: string, link: string): URL {
  const url = URL.canParse(link, base) ? new URL(link, base) : undefined
  if (url === undefined || url.origin !== new URL(base).origin) {
    throw new FenceError('garbled', `its link "${printable(link, 80)}" leads away from it`)
  }
  return url
}

async function logIn(terms: Terms): Promise<Session> {
  const { user, password, base, sessions } = terms.access
  const stranger = conversation(terms, {}, [])
  const link = await sessions(stranger)
  const body = { UserName: user, Password: password }
  const answer = await ask(terms, { method: 'POST', link, headers: {}, body })
  if (answer.status !== 200 && answer.status !== 201) {
    const refusal = refusalOf(answer, stranger.tell, 'question')
    if (!/SessionLimit|CreateLimit/.test(answer.body)) throw refusal
    const mend = 'end sessions there, or set auth: basic, which needs none'
    throw new FenceError('busy', `HTTP ${answer.status}, all its sessions are taken`, mend)
  }
  const token = answer.headers['x-auth-token'] ?? ''
  const named = answer.headers.location ?? idOf(answer.body)
  if (token === '' || named === undefined || !URL.canParse(named, base)) {
    throw new FenceError('garbled', 'a login without a token or a name for its session')
  }
  // Some BMCs give a URL with the name that they have for themselves.
  return { token, path: new URL(named, base).pathname }
}

function idOf(body: string): string | undefined {
  const id = objectOf(body)?.['@odata.id']
  return typeof id === 'string' ? id : undefined
}

/** Ends sessions. What is not seen to end is kept for later: leaked ones fill the BMC's slots. */
async function logOut(terms: Terms, session: Session, ending: readonly Session[]): Promise<void> {
  const { leftovers } = terms.habits
  const headers = { 'x-auth-token': session.token }
  let silent = false
  // Our own is the last: it is the login by which the others are ended.
  for (const each of [...ending].reverse()) {
    const answer: HttpAnswer | undefined =
      silent && each !== session
        ? undefined
        : await briefly(terms.wire, ask(terms, { method: 'DELETE', link: each.path, headers }))
    silent = answer === undefined
    const ended = answer !== undefined && (answer.status < 300 || answer.status === 404)
    if (!ended) leftovers.push(each)
  }
  leftovers.splice(0, leftovers.length - LEFTOVERS_MAX)
}

/** The path that a resource links to under this name. */
export function linkOf(value: unknown): string | undefined {
  const link = isObject(value) ? value['@odata.id'] : undefined
  return typeof link === 'string' ? link : undefined
}

/** The paths that a list of links names. */
export function linksOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.flatMap((each) => linkOf(each) ?? []) : []
}
