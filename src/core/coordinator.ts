/**
 * What the coordinator decides: who is condemned, who is fenced by whom and when, when a node may
 * serve again, and what runs where. It decides only in an open session of a quorate ring, while it
 * hears itself (`leading`), and it changes nothing by itself: every decision is a message, and
 * takes effect at all members at once when CPG delivers it.
 */

import { dumpWait } from './dumps.ts'
import { once, type Waits, waitsOf } from './duty.ts'
import { failureToFence } from './failures.ts'
import { entryOf, type FencingRecord, type Finger, isOpen, type NodeEntry } from './ledger.ts'
import { whySpared } from './maintenance.ts'
import { unfitness } from './merge.ts'
import type { NodeConfig, NodeId } from './model.ts'
import { place } from './placement.ts'
import { askingMs, hearersOf } from './reprieve.ts'
import { isStuck } from './resource.ts'
import { defer, delayMsOf, forgetRounds, permitFor } from './rules.ts'
import { leading, type Session, type State, set, type Turn } from './state.ts'
import { disableFailed, endFailedMoves } from './wants.ts'
import { watchFenced } from './watch.ts'

/** One look at the cluster; called after every event, so that news is acted on at once. */
export function decide(turn: Turn): void {
  const { state } = turn
  if (state.ledger.coordinator !== state.self || !state.chain) {
    if (Object.keys(state.duty.sinceMs).length > 0) {
      set(turn, { duty: { ...state.duty, sinceMs: {} } })
    }
    return
  }
  const session = leading(state, turn.nowMs)
  if (session === undefined) return
  const unfit = whyUnfit(state, session)
  if (unfit !== '' && !state.duty.sent.includes('resign')) {
    once(turn, 'resign', { say: 'resign', because: unfit })
    return
  }
  const waits = waitsOf(turn)
  for (const id of Object.keys(state.ledger.nodes)) {
    // Nobody judges itself; but who leads while all are condemned is fenced like the others.
    const { standing } = entryOf(turn.state.ledger, id)
    if (id !== state.self || standing === 'condemned') judge(turn, session, waits, id)
    settle(turn, session, waits, id)
  }
  forgetRounds(turn, waits)
  for (const id of watchFenced(turn, waits)) {
    condemn(turn, id, 'it was proven off, and something else than us has switched it on again')
  }
  waits.keep()
  endFailedMoves(turn, session)
  disableFailed(turn, session)
  place(turn, session)
}

/** Its successor has to judge a coordinator that fails its own stop, or is to be fenced. */
function whyUnfit(state: State, session: Session): string {
  const stuck = Object.values(state.resources).some(isStuck)
  if (stuck) return 'it cannot stop one of its own resources'
  return failureToFence(state, state.self, session.reports[state.self])
}

function judge(turn: Turn, session: Session, waits: Waits, id: NodeId): void {
  const entry = entryOf(turn.state.ledger, id)
  const spared = whySpared(turn.state.ledger, id)
  if (spared !== '') {
    if (isOpen(entry) && entry.fencing?.owner === undefined) defer(turn, id, spared)
    return
  }
  switch (entry.standing) {
    case 'member': {
      const stuck = stuckOf(session, id)
      if (stuck !== undefined) return condemn(turn, id, `it cannot stop ${stuck}`)
      const failed = failureToFence(turn.state, id, session.reports[id])
      if (failed !== '') condemn(turn, id, failed)
      return
    }
    case 'lost':
      return judgeLost(turn, waits, id, entry)
    case 'condemned':
      return fence(turn, session, waits, id, entry)
    case 'fenced':
    case 'left':
      // The second half of a reboot, or an operator's `on` whose owner vanished.
      if (entry.fencing?.action === 'on' && !entry.late) fence(turn, session, waits, id, entry)
      return
  }
}

function judgeLost(turn: Turn, waits: Waits, id: NodeId, entry: NodeEntry): void {
  const { group, session, config } = turn.state
  const { timing } = config
  const graceMs = entry.seen ? 0 : timing.startGraceMs
  if (!group!.ringMembers.includes(id)) {
    // Nobody can fence it: there is nothing to wait for.
    if (!config.nodes.some((node) => node.id === id && node.levels.length > 0)) return
    const spentMs = waits.standingMs(`lost:${id}`)
    const because = whyLeftAlone(turn.state, session!, id, spentMs)
    const dump = dumpWait(turn.state, session!, id, spentMs)
    if (dump?.heard || (dump && because === '')) return defer(turn, id, dump.because, dump.leftMs)
    return because === '' ? fence(turn, session!, waits, id, entry) : defer(turn, id, because)
  }
  // In the ring, but its daemon is gone, silent, or has another config: it is not assumed idle
  // (H16).
  const inGroup = group!.members.some((member) => member.node === id)
  const excluded = session!.excluded.includes(id)
  const goneMs = Math.max(timing.silentMs, graceMs, entry.detached ? timing.detachMs : 0)
  const boundMs = excluded ? 0 : inGroup ? timing.strangerMs : goneMs
  const lostMs = waits.standingMs(`silent:${id}`)
  // Who restarts to read another config has not been gone for as long as it was a stranger.
  const spentMs = inGroup || excluded ? lostMs : waits.standingMs(`gone:${id}`)
  if (spentMs < boundMs && lostMs < timing.strangerMs + goneMs) return
  const because = excluded
    ? 'its daemon has been silent for too long'
    : inGroup
      ? 'its config has been another one for too long'
      : entry.detached
        ? 'no other daemon has followed the one that has detached there'
        : 'its daemon has been gone for too long while its ring lives on'
  condemn(turn, id, because)
}

/** What a node that vanished from the ring is still given time for; empty when it is over. */
function whyLeftAlone(state: State, session: Session, id: NodeId, spentMs: number): string {
  const { timing, rules } = state.config
  const seconds = (spanMs: number) => (spanMs / 1000).toFixed(1)
  if (!entryOf(state.ledger, id).seen) {
    const span = seconds(timing.startGraceMs)
    return spentMs < timing.startGraceMs
      ? `the grace at the start is ${span} s: it may come back by itself`
      : ''
  }
  const delayMs = delayMsOf(state, session, id)
  const waitMs = Math.max(delayMs, askingMs(state, id))
  if (spentMs < delayMs) {
    return `the delay before a fencing is ${seconds(delayMs)} s: it may come back by itself`
  }
  if (spentMs < waitMs) return 'other paths are asked first whether it is alive'
  const hearers = hearersOf(session, id)
  const spared = hearers.length > 0 && spentMs < waitMs + rules.reprieveMs
  if (!spared) return ''
  const [{ why } = { why: '' }] = hearers
  const members = hearers.map(({ by }) => by).join(', ')
  return `${why} (${members}): it may come back by itself`
}

function stuckOf(session: Session, id: NodeId): string | undefined {
  const resources = Object.entries(session.reports[id]?.resources ?? {})
  return resources.find(([, resource]) => resource.state === 'stuck')?.[0]
}

function condemn(turn: Turn, node: NodeId, because: string): void {
  if (whySpared(turn.state.ledger, node) !== '') return
  const { epoch } = turn.state.ledger
  once(turn, `condemn:${node}`, {
    say: 'condemn',
    node,
    id: `${node}-${epoch.seq}.${epoch.step}`,
    action: 'off',
    because,
    requester: `picketd on ${turn.state.self}`,
    barred: false,
  })
}

/** Orders the next round of a fencing, unless one is under way or a wait has not passed. */
function fence(turn: Turn, session: Session, waits: Waits, id: NodeId, entry: NodeEntry): void {
  const { ledger, config, self } = turn.state
  const record = pending(entry)
  const node = config.nodes.find((each) => each.id === id)
  if (record?.owner !== undefined || node === undefined || node.levels.length === 0) return
  const permit = permitFor(turn.state, entry, record)
  if (permit.go === 'wait') return defer(turn, id, permit.because)
  const released = permit.go === 'press' && entry.deferred !== ''
  const failures = record?.last ? record.round + 1 : 0
  if (failures > 0 && !released) {
    const { retryMs, retryMaxMs } = config.timing
    const gapMs = Math.min(retryMaxMs, retryMs * 2 ** Math.min(failures - 1, 16))
    const failedMs = waits.standingMs(`retry:${id}:${record!.id}:${record!.round}`)
    if (failedMs < gapMs && !healed(turn.state, node, turn.nowMs - failedMs)) return
  }
  const round = record === undefined ? 0 : record.round + 1
  const owner = ownerOf(turn.state, session, id, round)
  if (owner === undefined) return
  const { epoch } = ledger
  once(turn, `fence:${id}`, {
    say: 'fence',
    node: id,
    id: record?.id ?? `${id}-${epoch.seq}.${epoch.step}`,
    action: record?.action ?? 'off',
    because: record?.because ?? entry.because,
    requester: record?.requester ?? `picketd on ${self}`,
    owner,
    round,
    confirmFirst: round > 1 || mayBeOff(turn.state, session, id, entry),
    heldBack: permit.go === 'look' ? permit.because : '',
  })
}

/**
 * May somebody have pressed of whom no word has come, or has nobody seen it? Then the power is read
 * first. `anything` says that those who agreed on this may not know what others had decided; where
 * it alone is missing, there are no others.
 */
function mayBeOff({ config }: State, { merged }: Session, id: NodeId, entry: NodeEntry): boolean {
  if (!entry.seen || (entry.fencing?.dangling.length ?? 0) > 0) return true
  const others = config.nodes.filter((node) => node.id !== id && !merged?.members.includes(node.id))
  return entry.holds === 'anything' && others.length > 0
}

/** What is to go on. A node that is lost, or must be fenced, is never switched on before that. */
function pending(entry: NodeEntry): FencingRecord | undefined {
  return isOpen(entry) && entry.fencing?.action === 'on' ? undefined : entry.fencing
}

/**
 * Has one of its devices, as we see it, come back to life since then? That is worth a try at once.
 */
function healed(state: State, node: NodeConfig, sinceMs: number): boolean {
  const devices = node.levels.flatMap((level) => level.devices)
  return devices.some((device) => {
    const { okSinceMs = Infinity } = state.devices[device] ?? {}
    return okSinceMs !== Infinity && okSinceMs > sinceMs
  })
}

/**
 * Who presses: the one that was interrupted while it did, else the coordinator; after a failed
 * round the next member, which may reach devices that the last one could not.
 */
function ownerOf(
  state: State,
  session: Session,
  target: NodeId,
  round: number,
): NodeId | undefined {
  const members = session.merged?.members ?? []
  const unfit = (id: NodeId) =>
    unfitness(state.config, entryOf(state.ledger, id), session.reports[id])
  const others = members.filter((id) => id !== target && unfit(id) < Infinity)
  const able = others.filter((id) => unfit(id) === Math.min(...others.map(unfit)))
  const record = entryOf(state.ledger, target).fencing
  const former = record?.last === '' ? record.dangling.at(-1)?.node : undefined
  if (former !== undefined && able.includes(former)) return former
  const order = [state.self, ...able.filter((id) => id !== state.self)]
  const willing = order.filter((id) => able.includes(id))
  return willing[(record?.last ? round : 0) % Math.max(1, willing.length)]
}

/**
 * Lets a node serve again, or be switched on, once no command to it can be under way any more. An
 * owner that lives on says so itself; for one that does not, the devices' whole bound has to pass.
 */
function settle(turn: Turn, session: Session, waits: Waits, id: NodeId): void {
  const entry = entryOf(turn.state.ledger, id)
  if (!entry.late || isOpen(entry)) return
  const record = entry.fencing
  if (record?.owner !== undefined) return
  const fingers = (record?.dangling ?? []).map((finger) =>
    fingerOf(turn.state, session, finger, id),
  )
  if (fingers.includes('on the button')) return
  const boundMs = fingers.includes('gone') || fingers.length === 0 ? lateBoundMs(turn.state, id) : 0
  if (waits.standingMs(`late:${id}`) < boundMs) return
  once(turn, `settle:${id}`, { say: 'settle', node: id })
}

/**
 * Is a former owner still at it, has it let go, or is it gone with its last command unknown (S13)?
 */
function fingerOf(
  state: State,
  session: Session,
  { node, life, step }: Finger,
  target: NodeId,
): 'on the button' | 'let go' | 'gone' {
  const member = session.merged?.members.includes(node) === true
  if (member && session.syncs[node]?.identity.incarnation === life) {
    const report = session.reports[node]
    // What it said before that was noted says nothing of it.
    if (report === undefined || report.step < step) return 'on the button'
    return report.pressing.includes(target) ? 'on the button' : 'let go'
  }
  // Another life of the daemon, in our midst, has swept away what the former one was doing.
  const { standing } = entryOf(state.ledger, node)
  return member || standing === 'fenced' || standing === 'left' ? 'gone' : 'on the button'
}

/** How long the slowest device of a node may sit on a command. */
function lateBoundMs(state: State, id: NodeId): number {
  const node = state.config.nodes.find((each) => each.id === id)
  const names = (node?.levels ?? []).flatMap((level) => level.devices)
  const devices = state.config.devices.filter((device) => names.includes(device.id))
  return Math.max(0, ...devices.map((device) => device.lateMs + device.timeoutMs))
}
