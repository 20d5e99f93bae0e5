/**
 * What delivered messages make of the ledger. Every function here runs at every member, at the same
 * point of the order, on the same ledger; a message that does not fit it is void at all of them.
 */
import { isFree } from './clones.ts'
import { noteBound } from './dumps.ts'
import { delivered } from './duty.ts'
import { dropFencing } from './ending.ts'
import { beginFencing } from './fencing.ts'
import { maintenanceOf } from './intents.ts'
import {
  eitherCommanded,
  entryOf,
  type FencingRecord,
  fingersOf,
  isOpen,
  isOrdered,
  type Ledger,
  mayHaveStruck,
  mayStillFire,
  orderedFencing,
  shotsBeside,
  withEntry,
  withFinger,
} from './ledger.ts'
import { awaitsAny } from './live.ts'
import { whySpared } from './maintenance.ts'
import { elect } from './merge.ts'
import type { Body, Condemnation, FenceOrder, Report } from './message.ts'
import type { NodeId } from './model.ts'
import { onOrderStep, whyNotConfirmed } from './orders.ts'
import { grantResource, stopResource } from './resource.ts'
import { say, set, type Turn } from './state.ts'
import { levelToWatch } from './watch.ts'
import { disarm } from './watchdog.ts'

type Of<Say extends Body['say']> = Extract<Body, { say: Say }>

/** A resource is given to a member; it may start it when a majority keeps this step (S8). */
export function onGrant(turn: Turn, from: NodeId, grant: Of<'grant'>): void {
  const { resource, thing, to } = grant
  delivered(turn, `grant:${thing}`)
  const { ledger } = turn.state
  if (from !== ledger.coordinator) return
  const config = turn.state.config.resources.find(({ id }) => id === resource)
  // A report that came in between may have found it running somewhere: then it is not free.
  if (config === undefined || !isFree(turn.state, config)) return
  const entry = entryOf(ledger, to)
  if (entry.standing !== 'member' || entry.holds === 'anything') return
  // Granted before an operator's word came in between.
  if (maintenanceOf(ledger.intents, resource, to) !== undefined) return
  const step = ledger.epoch.step + 1
  set(turn, { ledger: withEntry(ledger, to, { holds: [...entry.holds, { thing, step }] }) })
  if (to === turn.state.self) grantResource(turn, resource, step)
}

export function onRelease(turn: Turn, from: NodeId, release: Of<'release'>): void {
  if (from !== turn.state.ledger.coordinator || release.node !== turn.state.self) return
  const config = turn.state.config.resources.find((each) => each.id === release.resource)
  if (config !== undefined) stopResource(turn, config, release.because)
}

/** A member, or a lost node, must be fenced; only the fencing ends that. */
export function onCondemn(turn: Turn, from: NodeId, order: Condemnation): void {
  const { node, id, action, because, requester, barred } = order
  delivered(turn, `condemn:${node}`)
  const { ledger } = turn.state
  const entry = entryOf(ledger, node)
  if (from !== ledger.coordinator || entry.fencing?.owner !== undefined) return
  // Two coordinators of one moment have found the same; an operator's order is another matter.
  const found = action === 'off' && !barred
  if (found && entry.standing === 'condemned' && entry.fencing !== undefined) return
  if (found && whySpared(ledger, node) !== '') return
  // Of two orders of one moment, off is the one that binds.
  if (action === 'reboot' && entry.barred) return
  const dangling = entry.fencing?.dangling ?? []
  // A fencing that has begun goes on under another name.
  const goesOn = isOpen(entry) && entry.fencing?.action !== 'on'
  const fencing: FencingRecord = {
    ...orderedFencing({ id, action, because, requester, staysOff: barred, dangling }),
    commanded: goesOn ? (entry.fencing?.commanded ?? 'no') : 'no',
  }
  say(turn, 'warn', `${node} is condemned: ${because}`, { node, fencing: id })
  set(turn, {
    ledger: withEntry(ledger, node, {
      standing: 'condemned',
      because,
      barred: entry.barred || barred,
      // No other daemon is waited for any more.
      detached: false,
      watch: 0,
      fencing,
    }),
  })
  onOrderStep(turn, id, 'fencing', `${node} is condemned`)
}

/** One member gets the order to carry out one round. */
export function onFence(turn: Turn, from: NodeId, order: FenceOrder): void {
  const { node, id, action, because, requester, owner, round } = order
  delivered(turn, `fence:${node}`)
  const { ledger, self } = turn.state
  const entry = entryOf(ledger, node)
  if (from !== ledger.coordinator || entry.fencing?.owner !== undefined) return
  const off = action !== 'on'
  if (off && (!isOpen(entry) || whySpared(ledger, node) !== '')) return
  const before = entry.fencing
  // Ordered before another order came in between.
  if (off && before !== undefined && before.action !== 'on' && before.id !== id) return
  const known = before?.id === id ? before.commanded : 'no'
  const { heldBack: deferred } = order
  const counts = off && deferred === '' && known !== 'yes'
  // Two orders of one moment: the first one has used up the limit (P9).
  if (counts && shotsBeside(ledger, id) >= turn.state.config.rules.stormMax) return
  const life = turn.state.session?.syncs[owner]?.identity.incarnation ?? ''
  const dangling = (before?.dangling ?? []).filter(
    (finger) => finger.node !== owner || finger.life !== life,
  )
  // It tells of its commands itself while they may be late, but may forget that it has sent any.
  const forgets = dangling.length < (before?.dangling.length ?? 0)
  const commanded = eitherCommanded(known, forgets ? 'perhaps' : 'no')
  const { last = '', staysOff = false } = before ?? {}
  const carried = { dangling, last, staysOff: staysOff && off, commanded }
  const fencing = { id, action, because, requester, owner, life, round, ...carried }
  const barred = off ? entry.barred : false
  // Whoever is ordered on does not come back by itself.
  const next = withEntry(ledger, node, { fencing, barred, deferred, watch: 0 })
  set(turn, { ledger: counts ? { ...next, shots: [...next.shots, { id, node, round }] } : next })
  if (deferred !== '' && deferred !== entry.deferred) {
    say(turn, 'alarm', `${node} is not fenced yet: ${deferred}`, { node, fencing: id })
  }
  if ((round === 0 || owner === self) && deferred === '') {
    const text = off ? `${node} is to be fenced: ${because}` : `${node} is to be switched on`
    say(turn, 'warn', text, { node, fencing: id, owner, round })
  }
  onOrderStep(turn, id, 'fencing', `${owner} carries it out`)
  if (owner === self) beginFencing(turn, order)
  else dropFencing(turn, node)
}

/** The round is over. `fenced` comes from here, and from nowhere else. */
export function onVerdict(turn: Turn, from: NodeId, message: Of<'verdict'>): void {
  const { node, id, round, verdict } = message
  const { ledger, self } = turn.state
  const entry = entryOf(ledger, node)
  const record = entry.fencing
  if (record?.id !== id || record.round !== round || record.owner !== from) return
  if (from === self) dropFencing(turn, node)
  const off = record.action !== 'on'
  const { life } = record
  const finger = { node: from, life, step: ledger.epoch.step + 1 }
  const dangling = verdict.late ? withFinger(record.dangling, finger) : record.dangling
  const late = entry.late || dangling.length > 0
  const commanded = eitherCommanded(record.commanded, verdict.commanded)
  const books = verdict.commanded === 'no' ? uncounted(ledger, id, round) : ledger
  const over = { owner: undefined, life: '', dangling, last: '', commanded }
  const ended: FencingRecord = { ...record, ...over }
  if (!verdict.proven) {
    const what = off ? 'may still be running' : 'could not be switched on'
    say(turn, 'alarm', `${node} ${what}: ${verdict.text}`, { node, fencing: id, round })
    const failed = { ...ended, last: verdict.text || 'no device proved it' }
    // Switching on is an offer, made once; switching off is an obligation.
    const fencing = off || late ? failed : undefined
    set(turn, { ledger: withEntry(books, node, { fencing, late }) })
    return onOrderStep(turn, id, 'failed', verdict.text, verdict)
  }
  if (!off) {
    say(turn, 'info', `${node} is switched on: ${verdict.text}`, { node, fencing: id })
    set(turn, { ledger: withEntry(books, node, { fencing: undefined }) })
    return onOrderStep(turn, id, 'done', verdict.text, verdict)
  }
  say(turn, 'warn', `Node ${node} fenced by ${from}: ${verdict.text}`, { node, fencing: id })
  const reboots = record.action === 'reboot' && !verdict.newBoot
  const kept = dangling.length > 0 ? ended : undefined
  const fencing: FencingRecord | undefined = reboots ? { ...ended, action: 'on' } : kept
  set(turn, {
    ledger: withEntry(books, node, {
      standing: 'fenced',
      because: verdict.text,
      holds: [],
      late,
      deferred: '',
      // A reset is all of a reboot: it serves again.
      barred: entry.barred && !(record.action === 'reboot' && verdict.newBoot),
      // Where the first round found it off, nobody has switched it off.
      rests: turn.state.config.rules.minIntervalMs > 0 && (verdict.commanded !== 'no' || round > 0),
      // Who was reset is on again because of us.
      quarantined: entry.quarantined || keepsOut(turn, record),
      watch: reboots || verdict.newBoot ? 0 : levelToWatch(turn.state, node, verdict.level),
      fencing,
    }),
  })
  if (!reboots) onOrderStep(turn, id, 'done', verdict.text, verdict)
}

/** A person has seen it dead: as good as a proof, and told apart from one for ever (F14). */
export function onConfirm(turn: Turn, from: NodeId, confirmation: Of<'confirm'>): void {
  const { node, id, boot, because } = confirmation
  const { ledger, self, config } = turn.state
  if (from !== ledger.coordinator) return
  if (whyNotConfirmed(turn.state, node, boot) !== undefined) return
  const entry = entryOf(ledger, node)
  const record = entry.fencing
  if (record?.owner === self) dropFencing(turn, node)
  // Whoever was at it may have a command on its way, which would hit the node when it is back (F3).
  const dangling = record === undefined ? [] : fingersOf(record, ledger.epoch.step + 1)
  const late = dangling.length > 0 || entry.late
  const over = { action: 'off', owner: undefined, life: '', last: '', dangling } as const
  // A round that it ends may have pressed, and has not said so.
  const pressed = mayHaveStruck(record)
  say(turn, 'warn', `Node ${node} is ${because}`, { node, fencing: id })
  set(turn, {
    ledger: withEntry(ledger, node, {
      standing: 'fenced',
      because,
      holds: [],
      late,
      deferred: '',
      quarantined: entry.quarantined || keepsOut(turn, record),
      rests: entry.rests || (pressed && config.rules.minIntervalMs > 0),
      fencing: late && record !== undefined ? { ...record, ...over } : undefined,
    }),
  })
  if (record !== undefined) onOrderStep(turn, record.id, 'done', because)
  onOrderStep(turn, id, 'done', because)
}

/** Is who was fenced by the cluster itself kept out of service until an operator's word (H14)? */
function keepsOut({ state }: Turn, record: FencingRecord | undefined): boolean {
  if (record !== undefined && isOrdered(record)) return false
  return state.config.rules.rejoin === 'manual'
}

/** An operator has looked at it, and lets it serve again (H14). */
export function onUnfence(turn: Turn, from: NodeId, { node, id }: Of<'unfence'>): void {
  const { ledger } = turn.state
  if (from !== ledger.coordinator) return
  say(turn, 'info', `${node} may serve again, although it was fenced`, { node })
  set(turn, { ledger: withEntry(ledger, node, { quarantined: false }) })
  onOrderStep(turn, id, 'done', `${node} may serve again`)
}

/** Nobody pressed anything in this round: it does not count (P9). */
function uncounted(ledger: Ledger, id: string, round: number): Ledger {
  const shots = ledger.shots.filter((shot) => shot.id !== id || shot.round !== round)
  return { ...ledger, shots }
}

/** A rule holds the fencing of a node back. */
export function onDefer(turn: Turn, from: NodeId, { node, because, leftMs }: Of<'defer'>): void {
  delivered(turn, `defer:${node}`)
  const { ledger } = turn.state
  const entry = entryOf(ledger, node)
  if (from !== ledger.coordinator || !isOpen(entry)) return
  noteBound(turn, from, node, leftMs)
  if (entry.deferred === because) return
  say(turn, 'warn', `${node} is not fenced yet: ${because}`, { node })
  set(turn, { ledger: withEntry(ledger, node, { deferred: because }) })
}

/** A round is old enough to count no more. */
export function onForget(turn: Turn, from: NodeId, id: string, round: number): void {
  delivered(turn, `forget:${id}:${round}`)
  const { ledger } = turn.state
  const found = ledger.shots.find((shot) => shot.id === id && shot.round === round)
  if (from !== ledger.coordinator || found === undefined || mayStillFire(ledger, found)) return
  const epoch = { ...ledger.epoch, step: ledger.epoch.step + 1 }
  set(turn, { ledger: { ...ledger, epoch, shots: ledger.shots.filter((shot) => shot !== found) } })
}

/** This node has been left alone for long enough after its last fencing. */
export function onRested(turn: Turn, from: NodeId, node: NodeId): void {
  delivered(turn, `rested:${node}`)
  const { ledger } = turn.state
  if (from !== ledger.coordinator || !entryOf(ledger, node).rests) return
  set(turn, { ledger: withEntry(ledger, node, { rests: false }) })
}

/** Nothing but an order switches this node on any more. */
export function onUnwatch(turn: Turn, from: NodeId, node: NodeId): void {
  delivered(turn, `unwatch:${node}`)
  const { ledger } = turn.state
  if (from !== ledger.coordinator || entryOf(ledger, node).watch === 0) return
  set(turn, { ledger: withEntry(ledger, node, { watch: 0 }) })
}

/** Every command to this node is over: it may serve, or be switched on, again. */
export function onSettle(turn: Turn, from: NodeId, node: NodeId): void {
  delivered(turn, `settle:${node}`)
  const { ledger } = turn.state
  const entry = entryOf(ledger, node)
  if (from !== ledger.coordinator || !entry.late) return
  const record = entry.fencing
  // Whoever is back needs nobody to switch it on.
  const wanted = record?.action === 'on' && entry.standing !== 'member'
  const fencing = wanted ? { ...record, dangling: [] } : undefined
  set(turn, { ledger: withEntry(ledger, node, { late: false, fencing }) })
}

export function onUnbar(turn: Turn, from: NodeId, node: NodeId, id: string): void {
  const { ledger } = turn.state
  if (from !== ledger.coordinator) return
  set(turn, { ledger: withEntry(ledger, node, { barred: false }) })
  onOrderStep(turn, id, 'done', `${node} may serve again`)
}

/** A goodbye counts when everything is stopped; it is over when it has been delivered. */
export function onGoodbye(turn: Turn, from: NodeId, report: Report): void {
  const stopped = Object.values(report.resources).every(({ state }) => state === 'stopped')
  const entry = entryOf(turn.state.ledger, from)
  if (!stopped || entry.standing !== 'member') return
  // Something may still be sent to it, of which it did not know when it said so.
  if (awaitsAny(turn.state.ledger, from)) return takeBack(turn, from)
  say(turn, 'info', `${from} has left with everything stopped`, { node: from })
  const because = 'it said goodbye with everything stopped'
  const ledger = withEntry(turn.state.ledger, from, { standing: 'left', because, holds: [] })
  set(turn, { ledger })
  if (from === turn.state.self) {
    set(turn, { exited: true })
    disarm(turn)
    turn.effects.push({ do: 'exit', code: 0, because: 'left cleanly' })
  }
}

/** It has not left, and says goodbye once more when nothing can come in any more. */
function takeBack(turn: Turn, from: NodeId): void {
  const { self, leaving } = turn.state
  if (from !== self || leaving === undefined) return
  set(turn, { leaving: { ...leaving, goodbye: false } })
}

/** A coordinator that may not or cannot lead any more is followed by the lowest able member. */
export function reelect(turn: Turn, resigned: NodeId | undefined): void {
  const { ledger, session, config } = turn.state
  if (session?.merged === undefined) return
  const { coordinator } = ledger
  const others = session.merged.members.filter((id) => id !== resigned)
  const sticky = coordinator === resigned ? undefined : coordinator
  const next = elect(config, ledger, others, session.reports, sticky)
  if (next === coordinator || (next === undefined && resigned !== undefined)) return
  const epoch = { ...ledger.epoch, step: ledger.epoch.step + 1 }
  set(turn, { ledger: { ...ledger, epoch, coordinator: next } })
  if (next !== undefined) say(turn, 'info', `${next} coordinates now`, { node: next })
}
