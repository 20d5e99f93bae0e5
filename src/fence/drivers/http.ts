/**
 * Anything with a web interface: the requests and the meaning of the answers stand in the config.
 *
 * A status rule is required, with separate lists for off and on: what stands in neither is unknown,
 * and a device that cannot be read back can never prove anything (F2). Redirects are not followed,
 * and no request is repeated.
 */
import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { createMask } from '../../foreign/mask.ts'
import { defineDriver, type Status } from '../driver.ts'
import { FenceError, printable } from '../errors.ts'
import type { HttpAnswer } from '../http.ts'
import type { Kind, Wire } from '../wire.ts'
import { httpsOptions, tlsOf } from './https.ts'

const anyHeaders = z.record(
  z.string().regex(/^[\w-]+$/, 'is not the name of a header'),
  z.string().regex(/^[^\r\n\0]*$/, 'is more than one line, which no header can be'),
)

/** Names and values of headers that let somebody in. They would be shown with all that is open. */
const secretName = /^(proxy-)?authorization$|cookie|token|secret|passw|api-?key|^x-auth/i
const secretValue = /^\s*(bearer|basic|digest|token|apikey)\s+\S/i

const headers = anyHeaders.superRefine((all, { addIssue }) => {
  for (const [name, value] of Object.entries(all)) {
    if (!secretName.test(name) && !secretValue.test(value)) continue
    const message = 'this looks like a secret; write it in secret_headers, in the secrets file'
    // Not the value: what is wrong with it is where it stands.
    addIssue({ code: 'custom', path: [name], message })
  }
})

/** What every request has. */
const request = {
  path: z.string().default('').meta({ title: 'Added to `url`, with its query' }),
  body: z.string().optional().meta({ title: 'Sent as it stands, as application/json' }),
  headers: headers.default({}).meta({ title: 'More headers; no secrets' }),
}

const action = z.strictObject({
  method: z
    .enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])
    .default('POST')
    .meta({ title: 'HTTP method' }),
  ...request,
  accepted: z
    .array(z.int().min(100).max(599))
    .min(1)
    .default([200, 201, 202, 204])
    .meta({ title: 'Statuses by which the device accepts it; every other one is a refusal' }),
})

const values = z.array(z.string().min(1)).min(1)

const status = z.strictObject({
  method: z.enum(['GET', 'POST']).default('GET').meta({ title: 'HTTP method' }),
  ...request,
  pointer: z
    .string()
    .regex(/^(\/[^/]*)*$/, 'is not a JSON pointer like /power/state')
    .optional()
    .meta({ title: 'JSON pointer to the power; without one the whole answer is it, trimmed' }),
  off: values.meta({ title: 'The exact values that mean off' }),
  on: values.meta({ title: 'The exact values that mean on' }),
  identity: z
    .string()
    .regex(/^(\/[^/]*)+$/, 'is not a JSON pointer like /serial')
    .optional()
    .meta({ title: 'JSON pointer to what the device calls itself' }),
})

const options = z
  .strictObject({
    url: z
      .url({ protocol: /^https?$/, error: 'is not an http or https URL' })
      .refine((text) => !text.includes('@'), 'holds a login; write user and password instead')
      .meta({ title: 'Address of the interface; the paths of the requests are added to it' }),
    status: status.meta({
      title: 'How to read the power: path, pointer, and the exact values that mean off and on',
    }),
    off: action.meta({ title: 'The request that switches off: method, path, body, headers' }),
    on: action.meta({ title: 'The request that switches on' }),
    user: z.string().min(1).optional().meta({ title: 'Login name (HTTP Basic)' }),
    password: z.string().min(1).optional().meta({ title: 'Login password', secret: true }),
    token: z.string().min(1).optional().meta({ title: 'Bearer token', secret: true }),
    api_key: z
      .string()
      .min(1)
      .optional()
      .meta({ title: 'Key that is sent in the header `api_key_header`', secret: true }),
    api_key_header: z
      .string()
      .regex(/^[\w-]+$/, 'is not the name of a header')
      .default('X-API-Key')
      .meta({ title: 'Header for `api_key`' }),
    hmac_secret: z.string().min(1).optional().meta({
      title: 'Signs each body: HMAC-SHA256, hex, in the header `X-Signature`',
      secret: true,
    }),
    secret_headers: anyHeaders.optional().meta({
      title: 'Headers of every request that nobody may see: Authorization and the like',
      secret: true,
    }),
    ...httpsOptions,
  })
  .superRefine((options, { addIssue }) => {
    const taken = new Set(Object.keys(loginHeaders(options)))
    for (const { headers } of [options.status, options.off, options.on]) {
      for (const name of namesOf(headers)) taken.add(name)
    }
    const again = namesOf(options.secret_headers).find((name) => taken.has(name))
    if (again === undefined) return
    const message = `${again} is set by another option too; keep one of them`
    addIssue({ code: 'custom', path: ['secret_headers'], message })
  })
  .refine(({ status }) => !status.off.some((value) => status.on.includes(value)), {
    path: ['status'],
    message: 'has a value that means both off and on',
  })

/** How a device is told who asks. */
interface Login {
  readonly user?: string | undefined
  readonly password?: string | undefined
  readonly token?: string | undefined
  readonly api_key?: string | undefined
  readonly api_key_header: string
}

function loginHeaders({ user, password, token, api_key, api_key_header }: Login) {
  const login = Buffer.from(`${user ?? ''}:${password ?? ''}`).toString('base64')
  const all: Readonly<Record<string, string>> = {
    ...(user !== undefined && { authorization: `Basic ${login}` }),
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(api_key !== undefined && { [api_key_header.toLowerCase()]: api_key }),
  }
  return all
}

const namesOf = (headers: object = {}): readonly string[] =>
  Object.keys(headers).map((name) => name.toLowerCase())

type Options = z.output<typeof options>
type Action = z.output<typeof action>

export const http = defineDriver({
  name: 'http',
  title: 'Anything with a web interface: requests, and what the answers mean',
  options,
  capabilities: {
    hardOff: true,
    statusAuthoritative: true,
    isolation: 'power',
    sharedFate: 'network',
    // Nobody knows what is behind it: a vendor's cache, a relay with a delay.
    readGapMs: 1_000,
    lateMs: 60_000,
    // Many plugs switch on by a timer or a scene of their own.
    returnsMs: 60_000,
    settleMs: 30_000,
    vouches: false,
    timeoutMs: 10_000,
  },

  endpoint: ({ url }) => new URL(url).host,

  status: readStatus,
  powerOff: (options, wire) => act(options, wire, options.off),
  powerOn: (options, wire) => act(options, wire, options.on),

  async verify(options, wire) {
    const { power, raw, identity } = await readStatus(options, wire)
    if (power === 'unknown') {
      throw new FenceError('garbled', `"${raw}" is in neither list`, 'complete the status rule')
    }
    // Whether it would let us switch, nobody can say without doing it.
    return { identity, detail: `reads the power as ${power}; the right to switch is not tried` }
  },
})

async function readStatus(options: Options, wire: Wire): Promise<Status> {
  const rule = options.status
  const answer = await send(options, wire, rule, 'question')
  if (answer.status !== 200) throw refusalOf(answer, tellFor(options))
  const raw = rule.pointer === undefined ? answer.body.trim() : textAt(answer.body, rule.pointer)
  const found = rule.identity === undefined ? undefined : textAt(answer.body, rule.identity)
  const power = rule.off.includes(raw) ? 'off' : rule.on.includes(raw) ? 'on' : 'unknown'
  return { power, raw: tellFor(options)(raw), identity: found || undefined }
}

async function act(options: Options, wire: Wire, wanted: Action): Promise<void> {
  const answer = await send(options, wire, wanted, 'command')
  if (!wanted.accepted.includes(answer.status)) throw refusalOf(answer, tellFor(options))
}

type Tell = (text: string, lengthMax?: number) => string

/** A foreign text without the login of HTTP Basic, which no option holds as it is sent. */
function tellFor(options: Options): Tell {
  const mask = createMask(options.user === undefined ? [] : [loginOf(options)])
  return (text, lengthMax) => printable(mask(text), lengthMax)
}

const loginOf = ({ user = '', password = '' }: Options): string =>
  Buffer.from(`${user}:${password}`).toString('base64')

function send(
  options: Options,
  wire: Wire,
  { method, path, body, headers }: Pick<Action, 'method' | 'path' | 'body' | 'headers'>,
  kind: Kind,
): Promise<HttpAnswer> {
  const { hmac_secret, secret_headers } = options
  const all: Record<string, string> = {
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...loginHeaders(options),
    ...(hmac_secret !== undefined && {
      'x-signature': createHmac('sha256', hmac_secret)
        .update(body ?? '')
        .digest('hex'),
    }),
    ...headers,
    ...secret_headers,
  }
  const url = `${options.url.replace(/\/$/, '')}${path}`
  return wire.http({ method, url, headers: all, body, tls: tlsOf(options) }, kind)
}

/** The text at a JSON pointer; empty where there is nothing plain. */
function textAt(body: string, pointer: string): string {
  let found: unknown
  try {
    found = JSON.parse(body)
  } catch {
    throw new FenceError('garbled', `"${printable(body, 60)}" is not JSON`)
  }
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
    const inside = typeof found === 'object' && found !== null && Object.hasOwn(found, key)
    found = inside ? (found as Record<string, unknown>)[key] : undefined
  }
  const plain = ['string', 'number', 'boolean'].includes(typeof found)
  return plain ? String(found) : ''
}

/** A status by which the device says no. A 5xx may come from a gateway that has passed it on. */
function refusalOf({ status, headers, body }: HttpAnswer, tell: Tell): FenceError {
  const detail = `HTTP ${status} ${tell(body, 80)}`.trim()
  if (status === 401) return new FenceError('auth', detail)
  if (status === 403) return new FenceError('privilege', detail)
  if (status === 404) return new FenceError('noSuchPlug', detail)
  if (status === 429) return new FenceError('busy', detail)
  if (status >= 300 && status < 400) {
    const to = tell(headers.location ?? 'nowhere', 80)
    return new FenceError('garbled', `${detail}, a redirect to ${to}`, 'write the final address')
  }
  return status >= 400 && status < 500
    ? new FenceError('refused', detail)
    : new FenceError('garbled', detail)
}
