/**
 * A unit of systemd: a service, or a mount. Looked at, started and stopped over D-Bus, and watched
 * by systemd's signals.
 *
 * systemd goes on by itself with what it was told, whatever becomes of us. So a start that was cut
 * short is revoked: its job is cancelled by a stop, and the unit is proven gone (safety.md, S1 and
 * S10). It counts as stopped only when it is inactive or failed, no job for it is queued, and no
 * process is left in its control group.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { Bounds } from '../dbus/connection.ts'
import { defineResourceType, type OperationContext, type Ran, type Revoked } from './resource.ts'
import { isUp, openUnitBus, type UnitBus } from './systemd/bus.ts'
import { parseUnitName } from './systemd/name.ts'
import { isGone, remainsOf, type Seen, stateOf, whyNotLoaded, whyNotOurs } from './systemd/seen.ts'

/** A program that cannot go on ends within this; a unit that is up stays. */
const SETTLE_MS = 100
/** Kept back from a stop's time for SIGKILL and the proof. */
const KILL_RESERVE_MS = 2000
/** How long what a start has begun may take to stop by itself when it is revoked. */
const REVOKE_GRACE_MS = 1500
/** A signal may get lost; so often systemd is asked while a job is under way. */
const LOOK_AGAIN_MS = 2000
/** What a job that was refused is asked for again. */
const ORDER_AGAIN_MS = 500
/** What the last look before a deadline needs. */
const LAST_LOOK_MS = 100
const ANSWER_RESERVE_MS = 250
const LOG_LINES = 5

export const unitName = z
  .string()
  .max(255)
  .transform((text, context): string => {
    try {
      return parseUnitName(text)
    } catch (error) {
      const message = `${text} ${(error as Error).message}`
      context.issues.push({ code: 'custom', message, input: text })
      return z.NEVER
    }
  })
  .meta({
    title: 'Name of a service or mount unit; `.service` may be left out',
    // As far as an editor can tell.
    pattern: '^[A-Za-z0-9_:.\\\\@-]+$',
    patternErrorMessage: 'write the name of a unit, like nginx.service',
  })

const schema = z.strictObject({ unit: unitName })

type Options = z.output<typeof schema>

interface Memory {
  bus: UnitBus | undefined
  /** Has the last start ordered anything? Nobody knows it of a former daemon's. */
  begun: boolean | undefined
  /** What was warned of, so that it is said once. */
  readonly warned: Set<string>
}

type Context = OperationContext<Memory>

/** A unit of systemd. */
export const systemd = defineResourceType({
  name: 'systemd',
  title: 'Service or mount unit of systemd',
  options: schema,
  leavesProcesses: false,
  memory: (): Memory => ({ bus: undefined, begun: undefined, warned: new Set() }),

  thing: ({ unit }) => `unit ${unit}`,
  whyNoClone: () => '',

  async probe({ unit }, context) {
    const seen = await busOf(unit, context).look(boundsOf(context))
    warnOfOthers(unit, seen, context)
    if (isUp(seen.activeState)) return { outcome: 'running', detail: stateOf(seen) }
    if (!isGone(seen)) return { outcome: 'unknown', detail: remainsOf(seen) }
    return { outcome: 'stopped', detail: whyNotLoaded(unit, seen) ?? stateOf(seen) }
  },

  start,

  async stop({ unit }, context) {
    const bus = busOf(unit, context)
    const bounds = boundsOf(context)
    const leftMs = bounds.untilMs - context.nowMs()
    const killAtMs = bounds.untilMs - Math.min(KILL_RESERVE_MS, leftMs / 2)
    const before = await bus.look({ ...bounds, untilMs: killAtMs })
    if (isGone(before)) return { outcome: 'done', detail: `it was ${stateOf(before)} already` }
    return await end(unit, context, killAtMs)
  },

  async monitor({ unit }, context) {
    const seen = await busOf(unit, context).look(boundsOf(context))
    if (isUp(seen.activeState)) return { outcome: 'running', detail: stateOf(seen) }
    if (isGone(seen)) return { outcome: 'stopped', detail: `${stateOf(seen)}${failureOf(seen)}` }
    // systemd may be restarting it by itself: the next look tells.
    const between = seen.activeState === 'activating' || seen.activeState === 'deactivating'
    return { outcome: between ? 'unknown' : 'failed', detail: remainsOf(seen) }
  },

  async revoke({ unit }, { deadlineMs, memory }): Promise<Revoked> {
    if (memory.begun === false) return { gone: true, because: '' }
    const bus = busOf(unit, { memory })
    const bounds = { untilMs: deadlineMs }
    const killAtMs = Math.min(performance.now() + REVOKE_GRACE_MS, deadlineMs)
    const seen = await bus.look(bounds)
    if (isGone(seen)) return { gone: true, because: '' }
    const { gone, last } = await stopAndKill(bus, bounds, killAtMs)
    return { gone, because: gone ? '' : `is ${remainsOf(last)}` }
  },

  watch({ unit }, { memory, signal, tell }) {
    const bus = busOf(unit, { memory })
    const forget = bus.onDown(tell)
    signal.addEventListener('abort', forget)
    // It may have ended before we began to listen. Who cannot be asked is asked by the monitor.
    const look = async () => {
      const seen = await bus.look({ untilMs: performance.now() + LOOK_AGAIN_MS, signal })
      if (!isUp(seen.activeState)) tell(`systemd says ${seen.activeState}`)
    }
    look().catch((error: Error) => {
      if (!signal.aborted) tell(error.message)
    })
  },

  close: ({ bus }) => bus?.close(),
})

async function start({ unit }: Options, context: Context): Promise<Ran> {
  context.memory.begun = false
  const bus = busOf(unit, context)
  const bounds = boundsOf(context)
  const before = await bus.look(bounds)
  const refusal = refusalOf(unit, before)
  if (refusal !== undefined) return { outcome: 'failed', detail: refusal }
  const trigger = await activeTrigger(before, bus, bounds)
  if (trigger !== undefined) {
    const because = `${trigger} is active and would start ${unit} here at any time`
    return { outcome: 'failed', detail: `${because}; run \`systemctl disable --now ${trigger}\`` }
  }
  warnOfOthers(unit, before, context)
  if (isUp(before.activeState)) return { outcome: 'done', detail: `it was ${stateOf(before)}` }
  // Starts of other hours must not use up StartLimitBurst. A unit that systemd has let go of has
  // nothing to forget.
  await bus.forgive(bounds).catch(() => {})
  if (context.signal.aborted) return { outcome: 'failed', detail: 'it was aborted in time' }
  context.memory.begun = true
  await bus.order('start', bounds)
  const seen = await settled(bus, bounds)
  if (isUp(seen.activeState)) return { outcome: 'done', detail: stateOf(seen) }
  const result = bus.lastResult() ?? (seen.jobQueued ? 'not over' : 'over')
  const log = await lastLines(unit, context)
  const detail = `systemd's start job is ${result}: ${remainsOf(seen)}${failureOf(seen)}${log}`
  return { outcome: 'failed', detail }
}

/** When no job is under way any more, and what is up has stayed up for a moment. */
async function settled(bus: UnitBus, bounds: Bounds): Promise<Seen> {
  for (let upSinceMs: number | undefined; ; ) {
    const seen = await bus.look(bounds)
    const nowMs = performance.now()
    upSinceMs = isUp(seen.activeState) ? (upSinceMs ?? nowMs) : undefined
    const stays = upSinceMs !== undefined && nowMs - upSinceMs >= SETTLE_MS
    if (!seen.jobQueued && (stays || upSinceMs === undefined)) return seen
    if (nowMs >= bounds.untilMs) return seen
    const waitMs = upSinceMs === undefined || seen.jobQueued ? LOOK_AGAIN_MS : SETTLE_MS
    await bus.change(Math.min(waitMs, bounds.untilMs - nowMs), bounds.signal)
  }
}

async function end(unit: string, context: Context, killAtMs: number): Promise<Ran> {
  const { gone, killed, last } = await stopAndKill(
    busOf(unit, context),
    boundsOf(context),
    killAtMs,
  )
  if (!gone)
    return { outcome: 'failed', detail: `it does not stop: ${remainsOf(last)}${failureOf(last)}` }
  if (killed === '') return { outcome: 'done', detail: stateOf(last) }
  return { outcome: 'done', detail: `${stateOf(last)}; had to kill ${killed}` }
}

interface Stopped {
  readonly gone: boolean
  /** Why SIGKILL was needed; empty when it was not. */
  readonly killed: string
  readonly last: Seen
}

/** Orders a stop, waits for it, kills what is left, and says what it saw in the end. */
async function stopAndKill(bus: UnitBus, bounds: Bounds, killAtMs: number): Promise<Stopped> {
  await bus.order('stop', bounds)
  let killed = ''
  for (let last: Seen | undefined; ; ) {
    try {
      last = await bus.look(bounds)
    } catch (error) {
      if (last === undefined) throw error
      return { gone: false, killed, last }
    }
    const nowMs = performance.now()
    if (isGone(last)) return { gone: true, killed, last }
    const leftMs = bounds.untilMs - nowMs - LAST_LOOK_MS
    if (leftMs <= 0 || bounds.signal?.aborted) return { gone: false, killed, last }
    // Whatever a finished stop has left, or one that takes too long.
    const down = !last.jobQueued && last.activeState !== 'deactivating'
    if (down || nowMs >= killAtMs) {
      killed ||= remainsOf(last)
      if (last.processes.length > 0) await bus.kill(bounds).catch(() => {})
      if (down && last.processes.length === 0) await bus.order('stop', bounds)
      await sleep(Math.min(last.processes.length > 0 ? SETTLE_MS : ORDER_AGAIN_MS, leftMs))
    } else {
      await bus.change(Math.min(LOOK_AGAIN_MS, killAtMs - nowMs), bounds.signal)
    }
  }
}

/** Why it is not started, before anything has been done. */
function refusalOf(unit: string, seen: Seen): string | undefined {
  const { type, remainsAfterExit, refusesStart, activeState } = seen
  const because = whyNotLoaded(unit, seen) ?? whyNotOurs(unit, seen)
  if (because !== undefined) return because
  if (refusesStart) return `${unit} has RefuseManualStart=yes: systemd lets nobody start it`
  if (type === 'oneshot' && !remainsAfterExit) {
    return `${unit} is a oneshot without RemainAfterExit=yes: it is over as soon as it is started`
  }
  if (isUp(activeState) || isGone(seen)) return undefined
  return `it is ${remainsOf(seen)}, not stopped`
}

/** A socket, timer or path that would start it at any moment, on every node. */
async function activeTrigger(
  { triggeredBy }: Seen,
  bus: UnitBus,
  bounds: Bounds,
): Promise<string | undefined> {
  for (const trigger of triggeredBy) {
    if (isUp(await bus.activeStateOf(trigger, bounds))) return trigger
  }
  return undefined
}

/** Told where it is found, not only where it is to be started. */
function warnOfOthers(unit: string, seen: Seen, { memory, say }: Context): void {
  const once = (text: string) => {
    if (!memory.warned.has(text)) say('warn', text)
    memory.warned.add(text)
  }
  const refusal = seen.loadState === 'loaded' ? whyNotOurs(unit, seen) : undefined
  if (refusal !== undefined) once(`it will not be started here: ${refusal}`)
  else if (seen.pulledInBy.length > 0) {
    const others = seen.pulledInBy.slice(0, 5).join(', ')
    once(`${others} would start ${unit} by itself; start that on no node, or take the link away`)
  }
  if (seen.needsReload) once(`the file of ${unit} has changed; run \`systemctl daemon-reload\``)
}

function failureOf({ activeState, result, exitStatus }: Seen): string {
  if (activeState !== 'failed' && (result === 'success' || result === '')) return ''
  const status = exitStatus === 0 ? '' : `, its main process ended with ${exitStatus}`
  return `; result: ${result}${status}`
}

/** What the unit itself has said last; nothing where there is no journal. */
async function lastLines(unit: string, { scope }: Context): Promise<string> {
  const journalctl = (...words: string[]) =>
    scope.run({ argv: ['timeout', '1', 'journalctl', ...words], stdoutMaxBytes: 4096 })
  // What was said last may not have been written yet.
  await journalctl('--sync')
  const own = `_SYSTEMD_UNIT=${unit}`
  const end = await journalctl('-q', '-n', String(LOG_LINES), '-o', 'cat', '--no-pager', own)
  const lines = end.stdout.trim().split('\n').filter(Boolean).slice(-LOG_LINES)
  if (end.code !== 0 || lines.length === 0) return ''
  return `; its log ends: "${lines.join(' | ').slice(-600)}"`
}

function busOf(unit: string, { memory }: Pick<Context, 'memory'>): UnitBus {
  memory.bus ??= openUnitBus(unit)
  return memory.bus
}

/** A little earlier than the deadline, so that there is a sentence to tell. */
function boundsOf({ deadlineMs, signal, nowMs }: Context): Bounds {
  const leftMs = deadlineMs - nowMs()
  return { untilMs: deadlineMs - Math.min(ANSWER_RESERVE_MS, leftMs / 4), signal }
}
