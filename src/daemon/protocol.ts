/**
 * What is said over the daemon's control socket: JSON, one object a line, at most 64 KiB a line.
 *
 * A connection asks any number of short questions (`status`, `explain`, `foresee`, `prove`,
 * `journal`, `accept`), each answered by one line, or one long one (`fence`, `confirm`, `unfence`,
 * `recover`, `want`, `detach`, `watch`), which is its last.
 */
import { z } from 'zod'
import type { Outlook } from '../core/foresee.ts'
import { intentActions } from '../core/intents.ts'
import type { Verdict } from '../core/message.ts'

const words = (max: number) => z.string().min(1).max(max)

/** What an order about intents names: a resource, a node, or both; what it does not is empty. */
const wanted = {
  action: z.enum(intentActions),
  resource: z.string().max(255),
  node: z.string().max(255),
}

export const Request = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('status') }),
  z.strictObject({ do: z.literal('explain'), resource: words(255) }),
  /** What would an order about intents move? */
  z.strictObject({ do: z.literal('foresee'), ...wanted }),
  /** A node that was fenced may serve again. */
  z.strictObject({
    do: z.literal('unfence'),
    target: words(255),
    requester: words(200),
    reason: z.string().max(500),
  }),
  /** Make way for another daemon; the resources stay. */
  z.strictObject({
    do: z.literal('detach'),
    requester: words(200),
    reason: z.string().max(500),
    // Said only where it is so: the version that is replaced may not know it.
    sure: z.boolean().optional(),
  }),
  /** dlm_controld's helper asks whether a node is proven off, and what to do where it is not. */
  z.strictObject({
    do: z.literal('prove'),
    nodeid: z.int().min(1),
    requester: words(200),
  }),
  z.strictObject({ do: z.literal('journal') }),
  z.strictObject({ do: z.literal('watch') }),
  z.strictObject({ do: z.literal('accept'), requester: words(200), reason: words(500) }),
  z.strictObject({
    do: z.literal('fence'),
    action: z.enum(['off', 'on', 'reboot']),
    target: words(255),
    requester: words(200),
    reason: words(500),
  }),
  z.strictObject({
    do: z.literal('want'),
    ...wanted,
    requester: words(200),
    reason: z.string().max(500),
  }),
  /** Nodes are dead for good, in the ring that the status named, and the others go on. */
  z.strictObject({
    do: z.literal('recover'),
    nodes: z.array(words(255)).min(1).max(64),
    votes: z.int().min(1).max(64),
    ring: words(64),
    requester: words(200),
    reason: z.string().max(500),
  }),
  /** A person has seen a node dead, in the boot that the status named. */
  z.strictObject({
    do: z.literal('confirm'),
    target: words(255),
    boot: z.string().max(255),
    requester: words(200),
    reason: z.string().max(500),
  }),
])

export type Request = z.output<typeof Request>

/** What the daemon answers. `ok` is in the line that ends an answer, and in no other. */
export type Reply = Readonly<
  | { ok: true; status: object }
  | { ok: true; explanation: object }
  | ({ ok: true } & Outlook)
  | { ok: true; path: string }
  /** What an operator has accepted is in the audit log: so many heads of it. */
  | { ok: true; accepted: number }
  /** No proof: what to order, empty while that is waited for, left out where there is nothing. */
  | { ok: false; because: string; node: string; order: 'off' | 'reboot' | '' }
  /** The order was carried out: the verdict is proven. */
  | { ok: true; because: string; verdict?: Verdict | undefined }
  | { ok: false; because: string; verdict?: Verdict | undefined }
  /** A sentence about the order under way. */
  | { progress: string }
  /** The status has changed, in `watch`. */
  | { status: object }
>

export const lineBytesMax = 64 * 2 ** 10
/** The name of the socket in the run directory. */
export const socketName = 'control.sock'

/** A request from one line of a client, or why it is none. */
export function parseRequest(line: string): Request | string {
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch {
    return 'a request is one line of JSON, e.g. {"do":"status"}'
  }
  const parsed = Request.safeParse(json)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const where = issue?.path.length ? `${issue.path.join('.')}: ` : ''
  return `this is no request that picketd knows: ${where}${issue?.message ?? 'not an object'}`
}
