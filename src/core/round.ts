/**
 * One round of a fencing as data, and what it may rely on: whose it is, which device is being
 * tried, and whether an answer means anything to it. The round itself is run in fencing.ts.
 */

import { expectedIdentity } from './devices.ts'
import type { Press } from './effect.ts'
import type { PressOutcome } from './event.ts'
import { keepersOf } from './halves.ts'
import { type Commanded, entryOf, type FencingAction } from './ledger.ts'
import type { Evidence, FenceOrder, Verdict } from './message.ts'
import { type DeviceConfig, type Level, type NodeId, type Power, sameHardware } from './model.ts'
import { authority, type State } from './state.ts'

export interface Fencing {
  readonly id: string
  readonly target: NodeId
  readonly round: number
  readonly action: FencingAction
  readonly at: 'durable' | 'identify' | 'confirm' | 'press' | 'read' | 'hush' | 'done'
  /** Our disk must keep the ledger up to this step before the first command (F4). */
  readonly step: number
  readonly beganMs: number
  readonly level: number
  readonly device: number
  readonly confirmFirst: boolean
  /** Why no button may be pressed in this round; empty when one may. */
  readonly heldBack: string
  readonly commanded: Commanded
  /** The question under way, and when we stop waiting for its answer. */
  readonly asked:
    | { readonly id: number; readonly atMs: number; readonly untilMs: number }
    | undefined
  /** When to act unasked, if no question is under way. */
  readonly nextMs: number
  /** What the device said to the command of this step; `undefined` before it is sent. */
  readonly outcome: PressOutcome | undefined
  /** Has a button of this level been pressed? */
  readonly pressed: boolean
  readonly settleUntilMs: number
  /** Reads of the wanted state in a row. */
  readonly reads: number
  /** Of a device that resets: the boot that it told before the press, empty before that. */
  readonly bootBefore: string
  /** The other boot that it has told since; empty before the first such reading. */
  readonly bootAfter: string
  readonly hush:
    | { readonly id: number; readonly untilMs: number; readonly silent: boolean }
    | undefined
  /**
   * Until when the command of this step may be carried out; -Infinity when it is done or unsent.
   */
  readonly pressLateMs: number
  /** The same of all steps before. */
  readonly lateUntilMs: number
  readonly evidence: readonly Evidence[]
  /** Why each level so far did not prove it; the last is that of the level being tried. */
  readonly troubles: readonly string[]
  readonly verdict: Verdict | undefined
}

/** When an order that too few disks keep is given up. */
const GIVE_UP_MS = 10_000

/** The round that begins with this order; what an earlier one may have sent is not forgotten. */
export function newRound(state: State, order: FenceOrder, nowMs: number): Fencing {
  const { id, node: target, round, action, heldBack } = order
  const running = state.fencings[target]
  const openMs = running ? lateUntilMs(state, running) : -Infinity
  return {
    id,
    target,
    round,
    action,
    at: 'durable',
    step: state.ledger.epoch.step,
    beganMs: nowMs,
    level: 0,
    device: 0,
    confirmFirst: order.confirmFirst || heldBack !== '',
    heldBack,
    commanded: running?.id === id ? running.commanded : 'no',
    asked: undefined,
    nextMs: nowMs + GIVE_UP_MS,
    outcome: undefined,
    pressed: false,
    pressLateMs: -Infinity,
    settleUntilMs: 0,
    reads: 0,
    bootBefore: '',
    bootAfter: '',
    hush: undefined,
    lateUntilMs: Math.max(state.aftermath[target] ?? -Infinity, openMs),
    evidence: [],
    troubles: [],
    verdict: undefined,
  }
}

/**
 * Our own fencing, interrupted by a new ring, goes on where it stands. But where its next deed is
 * to press, somebody else may have pressed while this node slept: then it looks first (P10).
 */
export function resumed(running: Fencing, order: FenceOrder, nowMs: number): Fencing {
  const confirmFirst = running.confirmFirst || order.confirmFirst
  const fencing = { ...running, round: order.round, heldBack: order.heldBack, confirmFirst }
  const looks = order.confirmFirst && running.at === 'press' && running.asked === undefined
  return looks ? { ...fencing, at: 'confirm', bootBefore: '', nextMs: nowMs } : fencing
}

/** How long the disks of the others are waited for. */
const KEEP_MS = 1_000

/** Is this round still ours, in an open session, of a node that may be fenced at all (P2)? */
export function mandated(state: State, fencing: Fencing, nowMs: number): boolean {
  if (authority(state, nowMs) === undefined || fencing.target === state.self) return false
  const { standing, fencing: record } = entryOf(state.ledger, fencing.target)
  if (record?.id !== fencing.id || record.owner !== state.self) return false
  if (record.round !== fencing.round) return false
  return fencing.action === 'on' || standing === 'lost' || standing === 'condemned'
}

/** Does the core still wait for this press? Asked by the hands at the moment of sending (S14). */
export function isAwaited({ fencings }: Pick<State, 'fencings'>, press: Press): boolean {
  return fencings[press.target]?.asked?.id === press.id
}

/**
 * Is the order kept where it has to be before the first command (F4)? On the disks of a majority,
 * so that no successor can overlook it (P10). Where too few disks take it, our own has to do, but
 * not for an operator's off, which binds everybody until an operator's on (P4).
 */
export function isKept(state: State, fencing: Fencing, nowMs: number): boolean {
  if (state.disk.saved < fencing.step) return false
  const { barred } = entryOf(state.ledger, fencing.target)
  if (!barred && nowMs - fencing.beganMs >= KEEP_MS) return true
  const saved = Object.values(state.session?.saved ?? {})
  const needed = keepersOf(state.config, state.session?.merged?.members)
  return saved.filter((step) => step >= fencing.step).length >= needed
}

/** Until when a command of this round may still be carried out, also the one under way (F3). */
export function lateUntilMs(state: State, fencing: Fencing): number {
  const pressing = fencing.at === 'press' ? fencing.asked : undefined
  const device = deviceOf(state, fencing)
  const openMs = pressing && device ? pressing.untilMs + device.lateMs : -Infinity
  return Math.max(fencing.lateUntilMs, fencing.pressLateMs, openMs)
}

/** Does this identity belong to the target, as the config or the node itself says (S15)? */
export function belongs(state: State, fencing: Fencing, identity: string): boolean {
  const device = deviceOf(state, fencing)
  if (device === undefined) return false
  const expected = expectedIdentity(state, device, fencing.target)
  return expected === '' || sameHardware(expected, identity)
}

/** Must the silence of the node's addresses be heard at this device (F8)? */
export function listens(state: State, fencing: Fencing): boolean {
  const level = levelOf(state, fencing)
  if (level === undefined || !level.verify || fencing.action === 'on') return false
  return fencing.device === level.devices.length - 1
}

/** The level that is being tried; `undefined` when all have been. */
export function levelOf(state: State, fencing: Fencing): Level | undefined {
  const node = state.config.nodes.find((each) => each.id === fencing.target)
  return node?.levels[fencing.level]
}

/** The device that is being tried. */
export function deviceOf(state: State, fencing: Fencing): DeviceConfig | undefined {
  const id = levelOf(state, fencing)?.devices[fencing.device]
  return state.config.devices.find((device) => device.id === id)
}

/** The round that waits for this answer; `undefined` when it comes too late for any. */
export function asking(state: State, id: number): Fencing | undefined {
  return Object.values(state.fencings).find((fencing) => fencing.asked?.id === id)
}

/** When the present question was asked, after the round began, and how long the answer took. */
export function spanOf(fencing: Fencing, nowMs: number): { askedAt: number; tookMs: number } {
  const atMs = fencing.asked?.atMs ?? nowMs
  return { askedAt: atMs - fencing.beganMs, tookMs: nowMs - atMs }
}

/** Notes what goes wrong at the present level, for people who watch; only the newest is kept. */
export function withTrouble(fencing: Fencing, trouble: string): Fencing {
  return { ...fencing, troubles: [...fencing.troubles.slice(0, fencing.level), trouble] }
}

/** What the present device is to bring about. */
export function word(state: State, fencing: Fencing): Press['action'] {
  if (fencing.action === 'on') return 'on'
  return resets(state, fencing) ? 'reset' : 'off'
}

/** Is the present device one that resets the node, and cannot switch it off (F15)? */
export function resets(state: State, fencing: Fencing): boolean {
  return fencing.action !== 'on' && deviceOf(state, fencing)?.isolation === 'new-boot'
}

/**
 * Why a node is not reset after this look at it; empty when it may be. Only a boot that was told
 * right before can be told from a new one.
 */
export function whyNotReset(state: State, fencing: Fencing, boot: string): string {
  if (entryOf(state.ledger, fencing.target).fencing?.staysOff === true) {
    return 'it can only be reset, and an operator wants the node off'
  }
  return boot === '' ? 'it does not tell the present boot, so that no reset could be proven' : ''
}

/**
 * Does this reading say what the round wants to hear? Once a device was told to reset, nothing
 * but a node that runs in another boot than before: off may be a part of its reset.
 */
export function speaks({ action, bootBefore }: Fencing, power: Power, boot: string): boolean {
  if (action === 'on') return power === 'on'
  if (bootBefore === '') return power === 'off'
  return power === 'on' && boot !== '' && boot !== bootBefore
}

/** The step is over; its command may not be. */
export function settled(fencing: Fencing): Fencing {
  const lateUntilMs = Math.max(fencing.lateUntilMs, fencing.pressLateMs)
  return { ...fencing, lateUntilMs, pressLateMs: -Infinity }
}
