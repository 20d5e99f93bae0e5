/**
 * Asks health checks for the daemon's hands: each question has an end, and is answered only when
 * every process that it has made is proven gone. Whatever goes wrong on the way is a bad answer.
 *
 * Programs run in scopes like those of resources, in a place of their own: what a former daemon has
 * left there is ended when this one begins.
 */
import { openOperation } from '../resources/operation.ts'
import { openScopes, type Scopes } from '../resources/scope.ts'
import { type Answer, type OpenCheck, short } from './check.ts'
import { loadCheckType } from './index.ts'

/** A check as the config names it. */
export interface ListedCheck {
  readonly id: string
  readonly type: string
  readonly options: unknown
}

export interface ChecksOptions {
  /** Ours alone. */
  readonly stateDir: string
  readonly checks: readonly ListedCheck[]
  readonly say: (level: 'info' | 'warn', text: string) => void
  /** The answer may be another one: a hint to ask now. */
  readonly onStirred: (check: string, because: string) => void
}

export interface Checks {
  /** Answers within `timeoutMs` and what it takes to end what runs then. Never rejects. */
  ask(check: string, resource: string, timeoutMs: number): Promise<Answer>
  /** Ends what is under way. */
  close(): void
}

interface Slot {
  readonly open: OpenCheck
  /** Scopes that are not proven gone: nothing is asked before they are. */
  leftovers: readonly string[]
  readonly asking: Set<AbortController>
  stirredMs: number
}

const KILL_BOUND_MS = 3_000
const TERM_GRACE_MS = 300
/** What flaps may not keep the node busy: no two hints within this. */
const HINT_GAP_MS = 1_000

/** Opens the checks of one node. Throws when a type or its options make no sense. */
export async function openChecks(options: ChecksOptions): Promise<Checks> {
  const { stateDir, checks, say } = options
  const slots = new Map<string, Slot>()
  for (const { id, type, options: raw } of checks) {
    const open = (await loadCheckType(type)).open(raw)
    slots.set(id, { open, leftovers: [], asking: new Set(), stirredMs: -Infinity })
  }
  const scopes = slots.size === 0 ? undefined : await openSwept(stateDir, say)
  for (const [id, slot] of slots) {
    slot.open.watch((because) => {
      if (performance.now() - slot.stirredMs < HINT_GAP_MS) return
      slot.stirredMs = performance.now()
      options.onStirred(id, because)
    })
  }
  return {
    async ask(check, resource, timeoutMs) {
      const slot = slots.get(check)
      if (slot === undefined || scopes === undefined) {
        return { ok: false, detail: 'this node does not know it' }
      }
      try {
        return await asked(scopes, slot, { check, resource, timeoutMs })
      } catch (error) {
        return { ok: false, detail: short((error as Error).message) }
      }
    },
    close() {
      for (const { open, asking } of slots.values()) {
        for (const controller of asking) controller.abort()
        open.close()
      }
    },
  }
}

async function openSwept(stateDir: string, say: ChecksOptions['say']): Promise<Scopes> {
  const scopes = openScopes({ stateDir, warn: (text) => say('warn', text) })
  const left = (await scopes.list({ marked: true })).map(({ scope }) => scope)
  if (left.length === 0) return scopes
  const { gone, because } = await scopes.clear(left, { ...killing, strays: true })
  const end = gone ? 'ended' : `NOT GONE: ${because}`
  say('warn', `Health checks of a former daemon were still running: ${end}.`)
  return scopes
}

const killing = { graceMs: 0, boundMs: KILL_BOUND_MS }

interface Question {
  readonly check: string
  readonly resource: string
  readonly timeoutMs: number
}

async function asked(
  scopes: Scopes,
  slot: Slot,
  { check, resource, timeoutMs }: Question,
): Promise<Answer> {
  const stuck = await settle(scopes, slot)
  if (stuck !== undefined) return { ok: false, detail: stuck }
  const controller = new AbortController()
  const { signal } = controller
  slot.asking.add(controller)
  const alarm = setTimeout(() => controller.abort(), timeoutMs)
  const name = scopes.nameFor(check, 'check')
  const env = { PICKET_CHECK: check }
  const way = openOperation({ scopes, name, env, onLaunchedEnd: () => {} })
  const { scope } = way
  const deadlineMs = performance.now() + timeoutMs
  const late: Answer = { ok: false, detail: `no answer within ${timeoutMs / 1_000} s` }
  try {
    const work = slot.open.ask({ resource, signal, deadlineMs, scope })
    const answer = await Promise.race([work.catch(badAnswer), aborted(signal, late)])
    way.close()
    const found = signal.aborted ? late : answer
    const used = way.used() ? [name] : []
    return await cleared(scopes, slot, { used, cut: signal.aborted }, found)
  } finally {
    clearTimeout(alarm)
    slot.asking.delete(controller)
    way.release()
  }
}

const badAnswer = (error: Error): Answer => ({ ok: false, detail: short(error.message) })

/** Ends what is left of a question. What cannot be ended is a bad answer, whatever it said. */
async function cleared(
  scopes: Scopes,
  slot: Slot,
  { used, cut }: { readonly used: readonly string[]; readonly cut: boolean },
  answer: Answer,
): Promise<Answer> {
  if (used.length === 0) return answer
  const how = { graceMs: TERM_GRACE_MS, boundMs: KILL_BOUND_MS, strays: cut }
  const { gone, because } = await scopes.clear(used, how)
  if (gone) return answer
  slot.leftovers = [...slot.leftovers, ...used]
  return { ok: false, detail: short(`${answer.detail}; not proven gone: it ${because}`) }
}

/** Why nothing can be asked yet: an earlier question has left what cannot be killed. */
async function settle(scopes: Scopes, slot: Slot): Promise<string | undefined> {
  if (slot.leftovers.length === 0) return undefined
  const { gone, because } = await scopes.clear(slot.leftovers, { ...killing, strays: true })
  if (gone) slot.leftovers = []
  return gone ? undefined : short(`an earlier run is not proven gone: it ${because}`)
}

function aborted(signal: AbortSignal, answer: Answer): Promise<Answer> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(answer), { once: true })
  })
}
