/**
 * One operation from its record to its outcome: begin on disk, run in a scope, end at the deadline
 * or on an abort, then clear up and prove it. Only then is there an outcome to tell.
 */
import type { Move, ResourceOp } from '../core/effect.ts'
import type { RunOutcome } from '../core/event.ts'
import { type OpenOperation, openOperation } from './operation.ts'
import { leavesService, type Records } from './record.ts'
import type { OpenResource, OperationContext, Ran } from './resource.ts'
import { revoke } from './revoke.ts'
import type { Cleared, Scopes } from './scope.ts'
import { openService, serviceScopes } from './service.ts'
import type { ServiceWatch } from './watch.ts'

/** What all operations of one daemon share. */
export interface Room {
  readonly scopes: Scopes
  readonly records: Records
  readonly stateDir: string
  readonly say: (level: 'info' | 'warn', text: string) => void
  readonly killBoundMs: number
}

/** One resource, and what is going on with it. */
export interface Slot {
  readonly id: string
  /** Its name in the config: of an instance of a clone that of the clone. */
  readonly name: string
  readonly cloneMax: number | undefined
  type: OpenResource
  readonly monitorEveryMs: number
  readonly watch: ServiceWatch
  current: { readonly id: number; readonly controller: AbortController } | undefined
  preparing: AbortController | undefined
  /** Scopes that are not proven gone: nothing is told about this resource before they are. */
  leftovers: readonly string[]
  /** What a start has begun outside of all scopes is not proven gone: the same. */
  unrevoked: boolean
}

export interface Operation {
  readonly id: number
  readonly op: ResourceOp
  readonly timeoutMs: number
  readonly move: Move | undefined
  readonly controller: AbortController
}

/** How long processes have to end on SIGTERM when their operation is aborted or out of time. */
const TERM_GRACE_MS = 500
/** How long what a stop has left behind has to end on SIGTERM. */
const STOP_GRACE_MS = 1500
/** How long processes that were killed may take to be gone before the outcome is `unknown`. */
export const KILL_BOUND_MS = 3000
/** How long the code of a resource type may take to notice that its programs are gone. */
const SETTLE_MS = 1000
/** How much later than its timeout an operation may answer at most. */
export const OVERRUN_MS = TERM_GRACE_MS + STOP_GRACE_MS + 2 * KILL_BOUND_MS + SETTLE_MS
/** A preparation that nobody needed ends. */
const PREPARE_MAX_MS = 60_000

const CLEAN: Cleared = { gone: true, found: [], killed: [], because: '' }

/** Runs one operation to its proven end. Never rejects. */
export async function perform(room: Room, slot: Slot, operation: Operation): Promise<Ran> {
  const { op, timeoutMs, controller } = operation
  const alarm = setTimeout(
    () => controller.abort(`it took longer than its ${timeoutMs / 1000} s`),
    timeoutMs,
  )
  try {
    return await performBounded(room, slot, operation, performance.now() + timeoutMs)
  } catch (error) {
    return { outcome: unfinished(op), detail: (error as Error).message }
  } finally {
    clearTimeout(alarm)
  }
}

async function performBounded(
  room: Room,
  slot: Slot,
  operation: Operation,
  deadlineMs: number,
): Promise<Ran> {
  const { op, controller, move } = operation
  const { signal } = controller
  const stuck = await settleLeftovers(room, slot)
  if (stuck !== undefined) return { outcome: 'unknown', detail: stuck }
  const begins = leavesService(op)
  if (begins || op === 'stop') slot.preparing?.abort()

  // What has moved here is the service, as if it had been started here.
  const name = room.scopes.nameFor(slot.id, begins ? 'start' : op)
  const unrecorded = record(room, slot, operation, name)
  if (unrecorded !== undefined && begins) {
    return { outcome: 'failed', detail: `it was not begun: ${unrecorded}` }
  }

  const way = openWay(room, slot, name, op)
  const work = attempt(op, () =>
    operationOf(slot, op)(context(room, slot, { op, name, way, deadlineMs, move, signal })),
  )
  const first = await Promise.race([work, aborted(signal)])
  way.close()
  const ran = first ?? { outcome: unfinished(op), detail: String(signal.reason) }
  const proven = await cleanUp(room, slot, {
    ...{ op, own: way.used() ? [name] : [], deadlineMs },
    ...{ outcome: ran.outcome, cut: first === undefined || way.busy() },
  })
  const late = first === undefined ? await withinMs(work, SETTLE_MS) : undefined
  const cleared = way.busy() && proven.gone ? leaveBehind(slot, name, proven) : proven
  way.release()
  const begun = cleared.gone && begins && ran.outcome !== 'done'
  const { gone, because } = begun ? await revoke(slot) : cleared

  const detail = sentence(ran, late, { ...cleared, gone, because })
  if (!gone) return { outcome: 'unknown', detail }
  room.records.end(slot.id)
  if (ran.outcome === 'running' || (begins && ran.outcome === 'done')) slot.watch.begin()
  return { outcome: ran.outcome, detail }
}

/** A preparation, bounded and in a scope of its own. It is no operation: it touches nothing. */
export async function performPreparation(room: Room, slot: Slot, controller: AbortController) {
  const { prepare } = slot.type
  if (prepare === undefined) return
  const deadlineMs = performance.now() + PREPARE_MAX_MS
  const alarm = setTimeout(() => controller.abort('nobody needed it'), PREPARE_MAX_MS)
  try {
    const name = room.scopes.nameFor(slot.id, 'prepare')
    const way = openWay(room, slot, name, 'prepare')
    const { signal } = controller
    const of = { op: 'prepare', name, way, deadlineMs, signal } as const
    const work = prepare(context(room, slot, of)).catch((error: Error) => {
      if (!signal.aborted) room.say('warn', `${slot.id} cannot be prepared: ${error.message}`)
    })
    await Promise.race([work, aborted(signal)])
    way.close()
    if (way.used()) await room.scopes.clear([name], { graceMs: 0, boundMs: room.killBoundMs })
    way.release()
  } catch (error) {
    room.say('warn', `${slot.id} cannot be prepared: ${(error as Error).message}`)
  } finally {
    clearTimeout(alarm)
  }
}

/** Ends what has to be gone after an operation, and proves it. */
async function cleanUp(
  room: Room,
  slot: Slot,
  over: {
    readonly op: ResourceOp
    /** Its scope, where it has made one. */
    readonly own: readonly string[]
    readonly outcome: RunOutcome
    readonly cut: boolean
    readonly deadlineMs: number
  },
): Promise<Cleared> {
  const { op, outcome, cut, deadlineMs } = over
  const leaves = slot.type.leavesProcesses
  const service = () => serviceScopes(room.scopes, slot.id, true)
  if (leavesService(op) && leaves) {
    if (outcome === 'done') return CLEAN
    const all = async () => [...over.own, ...(await service())]
    return await clear(room, slot, all, { graceMs: TERM_GRACE_MS, strays: true })
  }
  const how = { graceMs: cut ? TERM_GRACE_MS : 0, strays: cut }
  const own = over.own.length === 0 ? CLEAN : await clear(room, slot, async () => over.own, how)
  if (op !== 'stop' || !leaves || !own.gone) return own
  const leftMs = Math.max(TERM_GRACE_MS, deadlineMs - performance.now())
  const gently = { graceMs: Math.min(leftMs, STOP_GRACE_MS), strays: true }
  const rest = await clear(room, slot, service, gently)
  return { ...rest, found: [...own.found, ...rest.found], killed: [...own.killed, ...rest.killed] }
}

async function clear(
  { scopes, killBoundMs }: Room,
  slot: Slot,
  which: () => Promise<readonly string[]>,
  how: { readonly graceMs: number; readonly strays: boolean },
): Promise<Cleared> {
  let names: readonly string[] = []
  try {
    names = await which()
    const cleared = await scopes.clear(names, { ...how, boundMs: killBoundMs })
    if (!cleared.gone) slot.leftovers = [...slot.leftovers, ...names]
    return cleared
  } catch (error) {
    slot.leftovers = [...slot.leftovers, ...names]
    return { gone: false, found: [], killed: [], because: (error as Error).message }
  }
}

/** No search found it, but a program that we started has not ended. */
function leaveBehind(slot: Slot, name: string, cleared: Cleared): Cleared {
  slot.leftovers = [...slot.leftovers, name]
  return { ...cleared, gone: false, because: 'has a program that does not end' }
}

async function settleLeftovers({ scopes, killBoundMs, records }: Room, slot: Slot) {
  if (slot.leftovers.length === 0 && !slot.unrevoked) return undefined
  const how = { graceMs: 0, boundMs: killBoundMs, strays: true }
  const { gone, because } = await scopes.clear(slot.leftovers, how)
  if (!gone) return `an earlier operation is not proven gone: it ${because}`
  slot.leftovers = []
  const revoked = slot.unrevoked ? await revoke(slot) : CLEAN
  if (!revoked.gone) return `an earlier start is not proven gone: it ${revoked.because}`
  records.end(slot.id)
  return undefined
}

/** Why the operation is not on record; on a full disk that is so for each, and no news. */
function record({ records }: Room, slot: Slot, { op, id }: Operation, scope: string) {
  try {
    records.begin(slot.id, { op, id, scope, begun: new Date().toISOString() })
    return undefined
  } catch (error) {
    // The scope itself is found again by the next daemon; only a start needs to be told apart.
    return `its beginning cannot be recorded: ${(error as Error).message}`
  }
}

function openWay({ scopes }: Room, slot: Slot, name: string, op: string): OpenOperation {
  return openOperation({
    ...{ scopes, name },
    env: { PICKET_RESOURCE: slot.name, PICKET_OPERATION: op },
    onLaunchedEnd: (text) => slot.watch.ended(text),
  })
}

interface Begun {
  readonly op: OperationContext['op']
  readonly move?: Move | undefined
  readonly name: string
  readonly way: OpenOperation
  readonly deadlineMs: number
  readonly signal: AbortSignal
}

function context(room: Room, slot: Slot, { op, move, name, way, deadlineMs, signal }: Begun) {
  return {
    resource: slot.name,
    cloneMax: slot.cloneMax,
    op,
    move,
    scope: way.scope,
    service: openService({ ...room, resource: slot.id, current: name }),
    signal,
    deadlineMs,
    monitorEveryMs: slot.monitorEveryMs,
    nowMs: () => performance.now(),
    memory: undefined,
    say: (level, text) => room.say(level, `${slot.id}: ${text}`),
  } satisfies OperationContext
}

function operationOf({ type, name }: Slot, op: ResourceOp) {
  const none = async () => {
    return { outcome: 'failed' as const, detail: `${name} is of a type that cannot move live` }
  }
  return type[op] ?? none
}

/** What an operation that did not come to its end says. */
function unfinished(op: ResourceOp): RunOutcome {
  return op === 'probe' || op === 'monitor' ? 'unknown' : 'failed'
}

async function attempt(op: ResourceOp, work: () => Promise<Ran>): Promise<Ran> {
  try {
    return await work()
  } catch (error) {
    return { outcome: unfinished(op), detail: (error as Error).message }
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}

async function withinMs(work: Promise<Ran>, boundMs: number): Promise<Ran | undefined> {
  let timer: NodeJS.Timeout | undefined
  const bound = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), boundMs)
  })
  try {
    return await Promise.race([work, bound])
  } finally {
    clearTimeout(timer)
  }
}

function sentence(ran: Ran, late: Ran | undefined, { gone, found, killed, because }: Cleared) {
  const parts = [ran.detail]
  if (late !== undefined && late.detail !== '') parts.push(late.detail)
  const ended = found.filter((one) => !killed.includes(one))
  if (ended.length > 0) parts.push(`ended ${ended.slice(0, 5).join(', ')}`)
  if (killed.length > 0) parts.push(`had to kill ${killed.slice(0, 5).join(', ')}`)
  if (!gone) parts.push(`not proven gone: it ${because}`)
  return parts.join('; ')
}
