/**
 * Effects become deeds here, and nowhere else. Every deed ends in news, never in a throw, and
 * within a bound: a core that waits for an answer that never comes would be as good as dead.
 */
import { type Authority, type Effect, mayPress, type Press, type Say } from '../core/effect.ts'
import type { News } from '../core/event.ts'
import type { FencingRecord, Ledger } from '../core/ledger.ts'
import type { Message } from '../core/message.ts'
import type { DeviceId, NodeId } from '../core/model.ts'
import type { Device, PowerRead } from '../fence/device.ts'
import type { Checks } from '../health/runner.ts'
import type { Resources } from '../resources/runner.ts'
import type { Watchdog } from '../watchdog/watchdog.ts'
import type { Clock } from './clock.ts'
import type { Fencings } from './fencings.ts'
import type { Hands, Tell } from './runner.ts'
import type { Saved, Store } from './store.ts'

interface Heard {
  readonly silent: boolean
  readonly answered: readonly string[]
  /** The finding in a sentence. */
  readonly because: string
}

/** What the hands work with. */
export interface Body {
  readonly clock: Clock
  readonly corosync: {
    /** Throws when the message is longer than Corosync takes. */
    send(message: Message): unknown
    /** The newest word of the local Corosync; `undefined` before its first. */
    authority(): Omit<Authority, 'nowMs'> | undefined
    /** Rejects with a sentence where Corosync does not take it; left out where there is none. */
    expect?(votes: number): Promise<void>
  }
  /** Does the core still wait for this press? */
  readonly awaits: (press: Press) => boolean
  readonly store: Pick<Store, 'save'>
  readonly device: (id: DeviceId) => Device | undefined
  readonly fencings: Fencings
  readonly listen: (addresses: readonly string[], windowMs: number) => Promise<Heard>
  readonly checks: Pick<Checks, 'ask'>
  readonly resources: Pick<Resources, 'run' | 'abort' | 'prepare'>
  /** Where this node is to have one. */
  readonly watchdog?: Pick<Watchdog, 'arm' | 'feedUntil' | 'disarm' | 'handOver'>
  readonly say: (say: Say) => void
  readonly exit: (code: number, because: string) => void
}

/** A disk that takes longer than this to take the ledger has not taken it. */
const saveMs = 10_000
/** The record of a press goes before the press, and every millisecond of it is downtime. */
const recordMs = 3_000
/** How much later than its own bound a deed may answer, before it counts as lost. */
const graceMs = 500

export function handsOf(body: Body): Hands {
  let ledger: Ledger | undefined
  const recordOf = (target: NodeId) => ledger?.nodes[target]?.fencing

  return {
    perform(effect, tell) {
      switch (effect.do) {
        case 'send':
          return send(body, effect.message)
        case 'save':
          ledger = effect.ledger
          return save(body, effect, tell)
        case 'press':
          return press(body, effect, recordOf(effect.target), tell)
        case 'read':
          return read(body, effect, tell)
        case 'identify':
          return identify(body, effect, tell)
        case 'listen':
          return listen(body, effect, tell)
        case 'run':
          return run(body, effect, tell)
        case 'abort':
          return body.resources.abort(effect.id)
        case 'check':
          return check(body, effect, tell)
        case 'prepare':
          return body.resources.prepare(effect.resource)
        case 'expect':
          return expect(body, effect.votes)
        case 'arm':
          return arm(body, effect, tell)
        case 'lease':
          return body.watchdog?.feedUntil(effect.untilMs)
        case 'disarm':
          return body.watchdog?.disarm()
        case 'handOver':
          return body.watchdog?.handOver(effect.untilMs)
        case 'say':
          return body.say(effect)
        case 'exit':
          return body.exit(effect.code, effect.because)
      }
    },
  }
}

type Of<Do extends Effect['do']> = Extract<Effect, { do: Do }>

function send(body: Body, message: Message): void {
  if (message.say === 'verdict') body.fencings.verdict(message)
  try {
    body.corosync.send(message)
  } catch (error) {
    // As good as lost with the ring; the core repeats what matters.
    const text = error instanceof Error ? error.message : String(error)
    body.say({ do: 'say', level: 'alarm', text: `A message was not sent: ${text}.` })
  }
}

function save(body: Body, { id, ledger }: Of<'save'>, tell: Tell): void {
  const lost: Saved = { ok: false, because: `the disk took longer than ${saveMs / 1_000} s` }
  finish(within(body.store.save(ledger), saveMs, lost), tell, {
    news: (saved) =>
      saved.ok
        ? { kind: 'saved', id, ok: true }
        : { kind: 'saved', id, ok: false, detail: saved.because },
    failed: (detail) => ({ kind: 'saved', id, ok: false, detail }),
  })
}

function press(body: Body, order: Press, record: FencingRecord | undefined, tell: Tell): void {
  const { id } = order
  finish(pressed(body, order, record), tell, {
    news: ({ outcome, detail }) => {
      body.fencings.outcome(order, outcome, detail)
      return { kind: 'pressed', id, outcome, detail }
    },
    // Whether anything was sent cannot be told any more.
    failed: (detail) => ({ kind: 'pressed', id, outcome: 'unknown', detail }),
  })
}

async function pressed(
  body: Body,
  order: Press,
  record: FencingRecord | undefined,
): Promise<Pick<Extract<News, { kind: 'pressed' }>, 'outcome' | 'detail'>> {
  const refused = (detail: string) => ({ outcome: 'refused', detail }) as const
  const beganMs = body.clock.nowMs()
  const device = body.device(order.device)
  if (device === undefined) return refused(`there is no device ${order.device} on this node`)

  const late: Saved = { ok: false, because: `the disk took longer than ${recordMs / 1_000} s` }
  const kept = await within(body.fencings.attempt(order, record, beganMs), recordMs, late)
  if (!kept.ok) return refused(`nothing was sent, it cannot be recorded first: ${kept.because}`)

  // Asked again by the device before each write: it may have waited for its turn meanwhile (S14).
  const allowed = () => {
    const word = body.corosync.authority()
    if (word === undefined || !body.awaits(order)) return false
    return mayPress(order, { ...word, nowMs: body.clock.nowMs() })
  }
  if (!allowed()) return refused('authority was lost before anything was sent')
  // The core stops waiting `timeoutMs` after it has asked: nothing may leave after that.
  const timeoutMs = order.timeoutMs - (body.clock.nowMs() - beganMs)
  if (timeoutMs <= 0) return refused('its time was over before anything was sent')
  return await within(device[order.action]({ timeoutMs, allowed }), timeoutMs + graceMs, {
    outcome: 'unknown',
    detail: 'no answer in time',
  })
}

function read(body: Body, { id, device: name, target, timeoutMs }: Of<'read'>, tell: Tell): void {
  const failed = (detail: string): News => {
    return { kind: 'power', id, power: 'unknown', raw: '', detail }
  }
  const device = body.device(name)
  if (device === undefined) return tell(failed(`there is no device ${name} on this node`))
  const late: PowerRead = { power: 'unknown', raw: '', detail: 'no answer in time' }
  finish(within(device.read({ timeoutMs }), timeoutMs + graceMs, late), tell, {
    news: (reading) => {
      const { power, raw, boot } = reading
      body.fencings.evidence(target, name, power, boot === undefined ? raw : `${raw}, boot ${boot}`)
      return { kind: 'power', id, ...reading }
    },
    failed,
  })
}

function identify(body: Body, { id, device: name, timeoutMs }: Of<'identify'>, tell: Tell): void {
  const failed = (detail: string): News => ({ kind: 'identified', id, ok: false, detail })
  const device = body.device(name)
  if (device === undefined) return tell(failed(`there is no device ${name} on this node`))
  const late = { ok: false, detail: 'no answer in time' }
  finish(within(device.identify({ timeoutMs }), timeoutMs + graceMs, late), tell, {
    news: (identified) => ({ kind: 'identified', id, ...identified }),
    failed,
  })
}

function listen(body: Body, { id, target, addresses, windowMs }: Of<'listen'>, tell: Tell): void {
  const heard = ({ silent, answered, because }: Heard): News => {
    body.fencings.evidence(target, 'addresses', silent ? 'silent' : 'not silent', because)
    if (!silent && answered.length === 0) {
      const text = `Nobody can tell whether ${target} is silent: ${because}`
      body.say({ do: 'say', level: 'warn', text, facts: { node: target } })
    }
    return { kind: 'heard', id, silent, answered }
  }
  const unsure = (because: string): Heard => ({ silent: false, answered: [], because })
  const late = unsure('the listening did not end in time')
  finish(within(body.listen(addresses, windowMs), windowMs + 2 * graceMs, late), tell, {
    news: heard,
    failed: (because) => heard(unsure(because)),
  })
}

/**
 * No bound of ours: the runner answers only when all processes are proven gone (S1), and it does.
 */
function run(body: Body, { id, resource, op, timeoutMs, move }: Of<'run'>, tell: Tell): void {
  finish(body.resources.run(id, resource, op, timeoutMs, move), tell, {
    news: ({ outcome, detail }) => ({ kind: 'ran', id, resource, outcome, detail }),
    failed: (detail) => ({ kind: 'ran', id, resource, outcome: 'unknown', detail }),
  })
}

/** No bound of ours here either: an answer is told when all that it has run is proven gone. */
function check(
  body: Body,
  { id, check: name, resource, timeoutMs }: Of<'check'>,
  tell: Tell,
): void {
  finish(body.checks.ask(name, resource, timeoutMs), tell, {
    news: ({ ok, detail }) => ({ kind: 'checked', id, check: name, ok, detail }),
    failed: (detail) => ({ kind: 'checked', id, check: name, ok: false, detail }),
  })
}

function arm({ watchdog }: Body, { id, untilMs }: Of<'arm'>, tell: Tell): void {
  // More than once: what was armed may fail later.
  watchdog?.arm(untilMs, (word) => tell({ kind: 'armed', id, ...word }))
}

/** What comes of it Corosync tells: a verdict for this ring. The core asks again with the beat. */
function expect({ corosync, say }: Body, votes: number): void {
  const told = (level: Say['level'], text: string) => say({ do: 'say', level, text })
  corosync.expect?.(votes).then(
    () => told('warn', `Corosync expects ${votes} votes now, until its next start.`),
    (error: unknown) => {
      const because = error instanceof Error ? error.message : String(error)
      told('alarm', `Corosync does not expect ${votes} votes: ${because}.`)
    },
  )
}

/** Tells what a deed came to, also where it threw. */
function finish<T>(
  work: Promise<T>,
  tell: Tell,
  { news, failed }: { news: (result: T) => News; failed: (because: string) => News },
): void {
  void work
    .then(news)
    .catch((error: unknown) => failed(error instanceof Error ? error.message : String(error)))
    .then(tell)
}

/** What the work gives, or `otherwise` when it takes too long. */
export function within<T, O>(work: Promise<T>, boundMs: number, otherwise: O): Promise<T | O> {
  const { promise, resolve } = Promise.withResolvers<O>()
  const timer = setTimeout(resolve, boundMs, otherwise)
  return Promise.race([work, promise]).finally(() => clearTimeout(timer))
}
