/**
 * What comes over CPG, from bytes to a message. Any process on any node that may talk to Corosync
 * can join our group, and an older or newer daemon may say what we do not know: what does not have
 * the shape of a message is dropped, and can do no harm. The shape bounds the depth.
 *
 * Members of one version refuse the same bytes, so that they go on agreeing.
 */
import { isUtf8 } from 'node:buffer'
import { type Intent, intentActions } from '../core/intents.ts'
import type {
  Commanded,
  Epoch,
  FencingAction,
  FencingRecord,
  Finger,
  Hold,
  Ledger,
  NodeEntry,
  OrderAction,
  Recovery,
  Shot,
} from '../core/ledger.ts'
import {
  type Body,
  type CheckReport,
  type Evidence,
  type Message,
  type Report,
  type ResourceReport,
  resourceStates,
  type Sync,
  type Verdict,
  type WatchdogReport,
} from '../core/message.ts'
import type { Identity } from '../core/model.ts'
import {
  flag,
  integer,
  list,
  Mismatch,
  name,
  number,
  object,
  oneOf,
  optional,
  orElse,
  type Reader,
  record,
  text,
} from './shape.ts'

/**
 * The protocol that this version speaks. It is another one as soon as anything about a message or
 * the ledger is: members of two protocols do not decide together (foreign.ts in the core). What
 * every version has to understand, and what therefore never changes, is `protocol` and `session`
 * of each message, and the whole of those that say `again` and `accuse`: they order the rounds.
 */
export const PROTOCOL = 1
const lasting: readonly unknown[] = ['again', 'accuse']

/** A message, or why it is none. */
export type Received =
  | {
      readonly ok: true
      readonly message: Message
      /** What goes beside it, as it came: nobody has looked at it yet. */
      readonly aside?: unknown
    }
  | { readonly ok: false; readonly because: string }

/** Reads a message; never throws, whatever the bytes are. */
export function readMessage(bytes: Uint8Array): Received {
  const value = parse(bytes)
  if (value === undefined) return { ok: false, because: 'it is not JSON' }
  try {
    const said = isForeign(value) ? foreign(value) : message(value, '')
    const { aside } = value as { aside?: unknown }
    return { ok: true, message: said, ...(aside !== undefined && { aside }) }
  } catch (error) {
    if (error instanceof Mismatch) return { ok: false, because: error.message }
    throw error
  }
}

/**
 * The bytes of a message, with what goes beside it. A member that knows of nothing beside messages
 * leaves it out like every field that it does not know.
 */
export function writeMessage(said: Message, aside?: object): Uint8Array {
  const whole = { protocol: PROTOCOL, ...said }
  return Buffer.from(JSON.stringify(aside === undefined ? whole : { ...whole, aside }))
}

/** Said in another protocol, or by a version that did not name its own. */
function isForeign(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  if (!('session' in value) || !('say' in value)) return false
  return protocolIn(value) !== PROTOCOL && !lasting.includes(value.say)
}

function protocolIn(value: object): number {
  const protocol: unknown = Reflect.get(value, 'protocol')
  return Number.isSafeInteger(protocol) ? Number(protocol) : 0
}

function foreign(value: object): Message {
  const { session } = object<{ session: string }>({ session: text })(value, '')
  return { session, say: 'foreign', theirs: protocolIn(value), ours: PROTOCOL }
}

function parse(bytes: Uint8Array): unknown {
  if (!isUtf8(bytes)) return undefined
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString())
  } catch {
    return undefined
  }
}

const action = oneOf<FencingAction>(['off', 'on', 'reboot'])
const commanded = oneOf<Commanded>(['no', 'perhaps', 'yes'])
const powers = ['off', 'on', 'reboot'] as const
const orderAction = oneOf<OrderAction>([...powers, 'confirm', 'unfence', ...intentActions])

const identity = object<Identity>({
  incarnation: name,
  boot: name,
  hardware: optional(name),
})

const epoch = object<Epoch>({ seq: integer, rep: integer, step: integer, half: optional(name) })

const fencing = object<FencingRecord>({
  id: name,
  action,
  because: text,
  requester: text,
  owner: optional(name),
  round: integer,
  life: text,
  dangling: list(object<Finger>({ node: name, life: name, step: integer })),
  last: text,
  staysOff: flag,
  commanded,
})

const wholeHold = object<Hold>({ thing: name, step: integer, from: optional(name) })

/** Most holds come from nowhere, and say nothing of it. */
const hold: Reader<Hold> = (value, path) => {
  const { from, ...rest } = wholeHold(value, path)
  return from === undefined ? rest : { ...rest, from }
}

const nodeEntry = object<NodeEntry>({
  standing: oneOf(['member', 'left', 'lost', 'condemned', 'fenced']),
  because: text,
  holds: orElse(oneOf(['anything']), list(hold)),
  seen: flag,
  barred: flag,
  quarantined: flag,
  late: flag,
  boot: name,
  hardware: name,
  deferred: text,
  rests: flag,
  detached: flag,
  watch: integer,
  fencing: optional(fencing),
})

const intent = object<Intent>({
  kind: oneOf(['standby', 'disabled', 'moved', 'banned', 'maintenance']),
  resource: name,
  node: name,
  by: text,
  reason: text,
})

const recovery = object<Recovery>({
  id: name,
  nodes: list(name),
  votes: integer,
  boots: record(name),
  because: text,
})

const wholeLedger = object<Ledger>({
  epoch,
  coordinator: optional(name),
  nodes: record(nodeEntry),
  shots: list(object<Shot>({ id: name, node: name, round: integer })),
  intents: list(intent),
  recovery: optional(recovery),
})

/** Most clusters have never been recovered, and say nothing of it. */
const ledger: Reader<Ledger> = (value, path) => {
  const { recovery, ...rest } = wholeLedger(value, path)
  return recovery === undefined ? rest : { ...rest, recovery }
}

/** Is this a ledger? Whoever keeps one for others asks before it believes what it has kept. */
export function whyNoLedger(value: unknown): string {
  try {
    ledger(value, '')
    return ''
  } catch (error) {
    if (error instanceof Mismatch) return error.message
    throw error
  }
}

const resourceReport = object<ResourceReport>({
  thing: name,
  state: oneOf(resourceStates),
  refuses: flag,
  mends: flag,
  failures: integer,
  last: text,
  grave: text,
})

const checkReport = object<CheckReport>({
  check: name,
  resource: name,
  verdict: oneOf(['unknown', 'healthy', 'failing']),
  settled: flag,
  forMs: number,
  against: integer,
  needed: integer,
  detail: text,
})

const wholeReport = object<Report>({
  seq: integer,
  sentMs: number,
  step: integer,
  saved: integer,
  resources: record(resourceReport),
  checks: list(checkReport),
  pressing: list(name),
  hears: record(text),
  dumps: list(name),
  leaving: flag,
  detaching: flag,
  passive: flag,
  durable: flag,
  watchdog: optional(object<WatchdogReport>({ armed: flag, timeoutMs: number, detail: text })),
})

/** What a node without a watchdog says of none stays unsaid. */
const report: Reader<Report> = (value, path) => {
  const { watchdog, ...rest } = wholeReport(value, path)
  return watchdog === undefined ? rest : { ...rest, watchdog }
}

const wholeSync = object<Sync>({
  identity,
  configHash: name,
  ledger: optional(ledger),
  chain: flag,
  shown: list(name),
  report,
  recovery: optional(recovery),
})

/** A word that nobody has given stays unsaid. */
const sync: Reader<Sync> = (value, path) => {
  const { recovery, ...rest } = wholeSync(value, path)
  return recovery === undefined ? rest : { ...rest, recovery }
}

const evidence = object<Evidence>({ device: name, raw: text, askedMs: number, tookMs: number })

const verdict = object<Verdict>({
  proven: flag,
  newBoot: flag,
  text,
  level: integer,
  tookMs: number,
  late: flag,
  commanded,
  evidence: list(evidence),
})

type Say = Body['say']
/** What a body of one kind holds beside its `say`. */
type Rest<Kind extends Say> = Omit<Extract<Body, { say: Kind }>, 'say'>

/** One entry for every kind of message: a kind without one does not compile. */
const bodies: { readonly [Kind in Exclude<Say, 'foreign'>]: Reader<Rest<Kind>> } = {
  sync: object<Rest<'sync'>>({ sync }),
  again: object<Rest<'again'>>({}),
  ready: object<Rest<'ready'>>({ digest: name, durable: flag }),
  report: object<Rest<'report'>>({ report }),
  ack: object<Rest<'ack'>>({ step: integer }),
  accuse: object<Rest<'accuse'>>({ node: name }),
  grant: object<Rest<'grant'>>({ resource: name, thing: name, to: name }),
  migrate: object<Rest<'migrate'>>({ resource: name, thing: name, from: name, to: name }),
  unlink: object<Rest<'unlink'>>({ thing: name, node: name }),
  release: object<Rest<'release'>>({ resource: name, node: name, because: text }),
  condemn: object<Rest<'condemn'>>({
    node: name,
    id: name,
    action: oneOf(['off', 'reboot']),
    because: text,
    requester: text,
    barred: flag,
  }),
  fence: object<Rest<'fence'>>({
    node: name,
    id: name,
    action,
    because: text,
    requester: text,
    owner: name,
    round: integer,
    confirmFirst: flag,
    heldBack: text,
  }),
  verdict: object<Rest<'verdict'>>({ node: name, id: name, round: integer, verdict }),
  settle: object<Rest<'settle'>>({ node: name }),
  defer: object<Rest<'defer'>>({ node: name, because: text, leftMs: number }),
  forget: object<Rest<'forget'>>({ id: name, round: integer }),
  rested: object<Rest<'rested'>>({ node: name }),
  unwatch: object<Rest<'unwatch'>>({ node: name }),
  request: object<Rest<'request'>>({
    id: name,
    action: orderAction,
    target: name,
    resource: name,
    requester: text,
    reason: text,
    boot: text,
  }),
  confirm: object<Rest<'confirm'>>({ node: name, id: name, boot: text, because: text }),
  refuse: object<Rest<'refuse'>>({ id: name, because: text }),
  want: object<Rest<'want'>>({
    id: name,
    action: oneOf(intentActions),
    resource: name,
    node: name,
    requester: text,
    reason: text,
  }),
  unbar: object<Rest<'unbar'>>({ node: name, id: name }),
  unfence: object<Rest<'unfence'>>({ node: name, id: name }),
  resign: object<Rest<'resign'>>({ because: text }),
  goodbye: object<Rest<'goodbye'>>({ report }),
  detach: object<Rest<'detach'>>({}),
}

const kinds = Object.keys(bodies) as (keyof typeof bodies)[]
const head = object<{ session: string; say: keyof typeof bodies }>({
  session: text,
  say: oneOf(kinds),
})

const message: Reader<Message> = (value, path) => {
  const { session, say } = head(value, path)
  return { session, say, ...bodies[say](value, path) } as Message
}
