/**
 * One round of a fencing, on the member that presses the buttons:
 *
 *     durable -> identify -> (confirm) -> press -> read, read [-> hush] -> next device, level, done
 *
 * Nothing is ever concluded from an accepted command. A device proves a node off with two reads in
 * a row that were asked after the command was answered; one that can only reset it is read before,
 * and proves by two such reads of one other boot that all is gone which ran there (F15). A level
 * counts when all its devices do so
 * and, where the config asks for it, the node's addresses are silent as well. A late answer answers
 * nothing: every question carries an id, and only the last one asked is listened to.
 */
import type { Press } from './effect.ts'
import type { PressOutcome, Reading } from './event.ts'
import type { Commanded } from './ledger.ts'
import type { FenceOrder, Verdict } from './message.ts'
import type { NodeId } from './model.ts'
import {
  asking,
  belongs,
  deviceOf,
  type Fencing,
  isKept,
  lateUntilMs,
  levelOf,
  listens,
  mandated,
  newRound,
  resets,
  resumed,
  settled,
  spanOf,
  speaks,
  whyNotReset,
  withTrouble,
  word,
} from './round.ts'
import { freshId, say, send, set, type Turn } from './state.ts'

/** How much longer than its own bound a question may take before it counts as unanswered. */
const ANSWER_MS = 1_000
const HUSH_WINDOW_MS = 150
const HUSH_RETRY_MS = 250
const POLL_MAX_MS = 500

/** The coordinator has ordered us to carry out one round. */
export function beginFencing(turn: Turn, order: FenceOrder): void {
  const running = turn.state.fencings[order.node]
  // What was read in the old ring holds, proof or half of one, unless the node has shown itself
  // since.
  const back = turn.state.group?.ringMembers.includes(order.node) === true
  // One that has done nothing yet begins anew: others may have pressed meanwhile (P10).
  const useful = running?.at === 'done' ? running.verdict?.proven : running?.at !== 'durable'
  if (running?.id === order.id && useful && !back) {
    put(turn, resumed(running, order, turn.nowMs))
    return advance(turn, order.node)
  }
  put(turn, newRound(turn.state, order, turn.nowMs))
  advance(turn, order.node)
}

/** The next instant at which this round wants a tick. */
export function fencingDeadlineMs(fencing: Fencing): number {
  const hushMs = fencing.hush && !fencing.hush.silent ? fencing.hush.untilMs : Infinity
  if (fencing.asked !== undefined) return Math.min(fencing.asked.untilMs, hushMs)
  if (fencing.at === 'done') return Infinity
  return Math.min(fencing.nextMs, hushMs)
}

/** Does whatever this round can do now: begins, goes on after a pause, gives up what is overdue. */
export function advance(turn: Turn, target: NodeId): void {
  const fencing = turn.state.fencings[target]
  if (fencing === undefined) return
  switch (fencing.at) {
    case 'durable':
      if (isKept(turn.state, fencing, turn.nowMs)) return enterDevice(turn, fencing)
      if (turn.nowMs < fencing.nextMs) return
      return conclude(turn, fencing, {
        proven: false,
        level: 0,
        text: 'too few disks keep the order: look at the disks of the nodes',
      })
    case 'done':
      return sendVerdict(turn, fencing)
    case 'identify':
    case 'confirm':
    case 'press':
    case 'read':
    case 'hush':
      if (turn.nowMs < fencingDeadlineMs(fencing)) return
      return overdue(turn, fencing)
  }
}

function overdue(turn: Turn, fencing: Fencing): void {
  const { hush, asked } = fencing
  if (hush !== undefined && !hush.silent && turn.nowMs >= hush.untilMs) {
    return listen(turn, fencing)
  }
  if (asked !== undefined) {
    switch (fencing.at) {
      case 'identify':
        return failLevel(turn, fencing, 'it did not say who it is in time')
      case 'press':
        return afterPress(turn, fencing, 'unknown', 'no answer in time', 'perhaps')
      case 'confirm':
      case 'read':
        return afterRead(turn, fencing, { power: 'unknown', raw: 'no answer in time' })
      case 'durable':
      case 'hush':
      case 'done':
        throw new Error(`a fencing of ${fencing.target} waits for nothing at ${fencing.at}`)
    }
  }
  if (fencing.at === 'press') {
    // A boot that was told some time ago may not be the one that would be ended.
    if (fencing.bootBefore === '') return press(turn, fencing)
    return read(turn, { ...fencing, at: 'confirm', bootBefore: '' })
  }
  if (fencing.at === 'confirm' || fencing.at === 'read') return read(turn, fencing)
  if (fencing.at === 'hush') return finishDevice(turn, fencing)
}

export function onPressed(turn: Turn, id: number, outcome: PressOutcome, detail: string): void {
  const fencing = asking(turn.state, id)
  if (fencing?.at !== 'press') return
  afterPress(turn, fencing, outcome, detail, outcome === 'refused' ? 'no' : 'yes')
}

export function onIdentified(turn: Turn, id: number, ok: boolean, detail: string): void {
  const fencing = asking(turn.state, id)
  if (fencing?.at !== 'identify') return
  if (!ok) return failLevel(turn, fencing, detail)
  enterDevice(turn, { ...fencing, asked: undefined })
}

export function onPower(turn: Turn, id: number, reading: Reading): void {
  const fencing = asking(turn.state, id)
  if (fencing === undefined) return
  const { identity } = reading
  if (identity === undefined || belongs(turn.state, fencing, identity)) {
    return afterRead(turn, fencing, reading)
  }
  afterRead(turn, fencing, { power: 'unknown', raw: `it is another machine's (${identity})` })
}

export function onHeard(
  turn: Turn,
  id: number,
  silent: boolean,
  answered: readonly string[],
): void {
  const fencing = Object.values(turn.state.fencings).find((each) => each.hush?.id === id)
  if (fencing?.hush === undefined) return
  if (silent) {
    const heard: Fencing = { ...fencing, hush: { ...fencing.hush, silent } }
    put(turn, heard)
    if (heard.at === 'hush') finishDevice(turn, heard)
    return
  }
  const why = `${answered.join(', ') || 'one of its addresses'} still answers`
  if (turn.nowMs > fencing.settleUntilMs) return failLevel(turn, fencing, why)
  const untilMs = turn.nowMs + HUSH_RETRY_MS
  put(turn, { ...withTrouble(fencing, why), hush: { id: -1, untilMs, silent: false } })
}

// ---- one device of one level ----

function enterDevice(turn: Turn, fencing: Fencing): void {
  const device = deviceOf(turn.state, fencing)
  if (device === undefined) {
    const why = fencing.troubles.join('; ') || 'no device is configured for it'
    return conclude(turn, fencing, { proven: false, level: 0, text: why })
  }
  const health = turn.state.devices[device.id]
  if (health?.identity && !belongs(turn.state, fencing, health.identity)) {
    const why = `it belongs to another machine (${health.identity}); check the wiring`
    return failLevel(turn, fencing, why)
  }
  // A device counts only once it has shown whose it is (S15).
  if (health?.ok !== true) {
    const { timeoutMs } = device
    const asked = ask(turn, timeoutMs)
    put(turn, { ...fencing, at: 'identify', asked })
    turn.effects.push({
      do: 'identify',
      id: asked.id,
      device: device.id,
      target: fencing.target,
      timeoutMs,
    })
    return
  }
  const blank = { asked: undefined, outcome: undefined, reads: 0, bootBefore: '', bootAfter: '' }
  const fresh: Fencing = { ...fencing, ...blank, hush: undefined }
  if (fencing.confirmFirst || resets(turn.state, fresh))
    return read(turn, { ...fresh, at: 'confirm' })
  press(turn, { ...fresh, at: 'press' })
}

/** Presses the button, if the present session still says that it is ours to press (S14). */
function press(turn: Turn, fencing: Fencing): void {
  const { state, nowMs } = turn
  const device = deviceOf(state, fencing)!
  if (fencing.heldBack !== '') return failLevel(turn, fencing, fencing.heldBack)
  if (!mandated(state, fencing, nowMs)) {
    put(turn, { ...fencing, asked: undefined, nextMs: nowMs + POLL_MAX_MS })
    return
  }
  const { timeoutMs } = device
  const asked = ask(turn, timeoutMs)
  put(turn, { ...fencing, asked, pressed: true })
  const order: Press = {
    do: 'press',
    id: asked.id,
    device: device.id,
    target: fencing.target,
    action: word(state, fencing),
    fencing: fencing.id,
    ring: state.group!.ring,
    notAfterMs: state.echoMs + state.config.timing.echoMs,
    timeoutMs,
  }
  turn.effects.push(order)
}

function afterPress(
  turn: Turn,
  fencing: Fencing,
  outcome: PressOutcome,
  detail: string,
  sent: Commanded,
): void {
  const device = deviceOf(turn.state, fencing)!
  // Also an accepted command may be carried out later, until it is proven done.
  const pressLateMs = outcome === 'refused' ? -Infinity : turn.nowMs + device.lateMs
  const commanded = sent === 'no' || fencing.commanded === 'yes' ? fencing.commanded : sent
  const troubled =
    outcome === 'accepted' ? fencing : withTrouble(fencing, `${device.id}: ${outcome}, ${detail}`)
  const settleUntilMs = turn.nowMs + device.settleMs
  const pressed = { ...troubled, commanded, outcome, pressLateMs, settleUntilMs }
  read(turn, { ...pressed, at: 'read', reads: 0 })
}

function read(turn: Turn, fencing: Fencing): void {
  const device = deviceOf(turn.state, fencing)!
  const asked = ask(turn, device.timeoutMs)
  put(turn, { ...fencing, asked })
  const { target } = fencing
  const { timeoutMs } = device
  turn.effects.push({ do: 'read', id: asked.id, device: device.id, target, timeoutMs })
}

function afterRead(turn: Turn, fencing: Fencing, reading: Reading): void {
  const device = deviceOf(turn.state, fencing)!
  const { power, raw, detail = raw, boot = '' } = reading
  const { nowMs } = turn
  const told = resets(turn.state, fencing) && boot !== '' ? `${detail}, boot ${boot}` : detail
  const { askedAt, tookMs } = spanOf(fencing, nowMs)
  const found = { device: device.id, raw: told, askedMs: askedAt, tookMs }
  if (!speaks(fencing, power, boot)) {
    const trouble = `${device.id} reads ${power}${told ? ` (${told})` : ''}`
    const troubled = withTrouble(fencing, trouble)
    if (fencing.at === 'confirm' && resets(turn.state, fencing)) {
      const why = whyNotReset(turn.state, fencing, boot)
      if (why !== '') return failLevel(turn, troubled, why)
      const evidence = [...fencing.evidence, found]
      return press(turn, { ...fencing, at: 'press', reads: 0, bootBefore: boot, evidence })
    }
    if (fencing.at === 'confirm') return press(turn, { ...fencing, at: 'press', reads: 0 })
    if (fencing.outcome === 'refused' || nowMs >= fencing.settleUntilMs) {
      return failLevel(turn, troubled, '')
    }
    const gapMs = Math.min(POLL_MAX_MS, Math.max(device.readGapMs, nowMs - fencing.beganMs))
    const again = { reads: 0, bootAfter: '', hush: undefined, nextMs: nowMs + gapMs }
    put(turn, { ...troubled, ...again, asked: undefined })
    return
  }
  // A third boot is no second word for the other one.
  const anew = fencing.bootBefore !== '' && boot !== fencing.bootAfter
  const reads = anew ? 1 : fencing.reads + 1
  const bootAfter = fencing.bootBefore === '' ? '' : boot
  const evidence = [...fencing.evidence, found]
  const once = { ...fencing, asked: undefined, reads, bootAfter, evidence }
  if (once.reads >= (fencing.action === 'on' ? 1 : 2)) return finishDevice(turn, once)
  put(turn, { ...once, nextMs: nowMs + device.readGapMs })
  // The listening runs beside the second read: it must begin after the power was read as off (F8).
  if (listens(turn.state, once)) listen(turn, turn.state.fencings[fencing.target]!)
}

function listen(turn: Turn, fencing: Fencing): void {
  const node = turn.state.config.nodes.find((each) => each.id === fencing.target)!
  const id = freshId(turn)
  const untilMs = turn.nowMs + HUSH_WINDOW_MS + ANSWER_MS
  put(turn, { ...fencing, hush: { id, untilMs, silent: false } })
  turn.effects.push({
    do: 'listen',
    id,
    target: fencing.target,
    addresses: node.addresses,
    windowMs: HUSH_WINDOW_MS,
  })
}

/**
 * Two reads in a row: this device is done. On to its siblings, to the silence, or to the verdict.
 */
function finishDevice(turn: Turn, read: Fencing): void {
  // What was accepted, and is read back as done, will not be done again; an unanswered command may.
  const fencing = read.outcome === 'accepted' ? { ...read, pressLateMs: -Infinity } : settled(read)
  const level = levelOf(turn.state, fencing)!
  // Also on: one feed alone would run the node, and be missed when that one fails.
  if (fencing.device + 1 < level.devices.length) {
    return enterDevice(turn, { ...fencing, device: fencing.device + 1 })
  }
  if (fencing.action === 'on') return proven(turn, fencing)
  if (!listens(turn.state, fencing) || fencing.hush?.silent === true) return proven(turn, fencing)
  const waiting: Fencing = { ...fencing, at: 'hush', asked: undefined, nextMs: Infinity }
  put(turn, { ...waiting, settleUntilMs: Math.max(fencing.settleUntilMs, turn.nowMs) })
  if (fencing.hush === undefined) listen(turn, turn.state.fencings[fencing.target]!)
}

function proven(turn: Turn, fencing: Fencing): void {
  const device = deviceOf(turn.state, fencing)!
  const tookMs = turn.nowMs - fencing.beganMs
  const newBoot = fencing.bootBefore !== ''
  const how = newBoot ? 'new boot' : fencing.action === 'on' ? 'on' : 'off'
  const silent = fencing.hush?.silent === true ? ', its addresses are silent' : ''
  const text =
    `${how} confirmed via ${device.driver} (${device.id})` +
    ` after ${(tookMs / 1000).toFixed(1)} s${silent}`
  conclude(turn, fencing, { proven: true, newBoot, level: fencing.level + 1, text })
}

function failLevel(turn: Turn, fencing: Fencing, why: string): void {
  const device = deviceOf(turn.state, fencing)
  const reason = why === '' ? fencing.troubles.at(-1) : `${device?.id ?? '?'}: ${why}`
  // One sentence for each level that failed; what led to it has been told as it happened.
  const troubles = [...fencing.troubles.slice(0, fencing.level), reason ?? 'no proof in time']
  const troubled = { ...fencing, troubles }
  say(
    turn,
    'warn',
    `level ${fencing.level + 1} did not prove ${fencing.target} ${word(turn.state, fencing)}`,
    {
      node: fencing.target,
      fencing: fencing.id,
      trouble: troubles.at(-1)!,
    },
  )
  const next = { ...settled(troubled), level: fencing.level + 1, device: 0, asked: undefined }
  enterDevice(turn, { ...next, hush: undefined, pressed: false })
}

function conclude(
  turn: Turn,
  fencing: Fencing,
  found: { proven: boolean; newBoot?: boolean; level: number; text: string },
): void {
  const verdict: Verdict = {
    newBoot: false,
    ...found,
    tookMs: turn.nowMs - fencing.beganMs,
    late: turn.nowMs < lateUntilMs(turn.state, fencing),
    commanded: fencing.commanded,
    evidence: fencing.evidence.slice(-8),
  }
  const done: Fencing = { ...fencing, at: 'done', asked: undefined, hush: undefined, verdict }
  put(turn, done)
  sendVerdict(turn, done)
}

/** Said again whenever a session opens, until the ledger has it. */
function sendVerdict(turn: Turn, fencing: Fencing): void {
  if (fencing.verdict === undefined || !mandated(turn.state, fencing, turn.nowMs)) return
  const { target: node, id, round, verdict } = fencing
  send(turn, { say: 'verdict', node, id, round, verdict })
}

function ask(turn: Turn, timeoutMs: number): { id: number; atMs: number; untilMs: number } {
  return { id: freshId(turn), atMs: turn.nowMs, untilMs: turn.nowMs + timeoutMs + ANSWER_MS }
}

function put(turn: Turn, fencing: Fencing): void {
  set(turn, { fencings: { ...turn.state.fencings, [fencing.target]: fencing } })
}
