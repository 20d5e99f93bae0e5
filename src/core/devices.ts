/**
 * Which fence devices work, and whose they are: every node asks the devices of all others now and
 * then, with its credentials and without side effects, so that a device that cannot fence is an
 * alarm before it is needed (F10, F19). What a device says of itself decides whether it counts
 * (S15).
 */
import { entryOf } from './ledger.ts'
import { type DeviceConfig, type DeviceId, type NodeId, sameHardware } from './model.ts'
import { type DeviceHealth, freshId, type State, say, set, type Turn } from './state.ts'

/** A device that nobody has asked yet. */
export const unchecked: DeviceHealth = {
  ok: false,
  okSinceMs: Infinity,
  checked: false,
  verified: false,
  identity: '',
  detail: 'not asked yet',
  askedId: undefined,
  nextMs: -Infinity,
}

/** A wrong password is tried by every node, and a BMC locks out whoever tries it too often. */
const RETRY_MS = 60_000
/** Devices are asked one after the other, so that a check never competes with a fencing. */
const STAGGER_MS = 250

/** The next instant at which a device wants to be asked. */
export function deviceDeadlineMs(state: State): number {
  let earliestMs = Infinity
  for (const { device } of foreign(state)) {
    const { askedId, nextMs } = state.devices[device.id] ?? unchecked
    if (askedId === undefined) earliestMs = Math.min(earliestMs, nextMs)
  }
  return Object.values(state.devices).some(({ askedId }) => askedId !== undefined)
    ? Infinity
    : earliestMs
}

/** Asks the device that is due, one at a time. */
export function checkDevices(turn: Turn): void {
  if (turn.nowMs < deviceDeadlineMs(turn.state)) return
  for (const { device, node } of foreign(turn.state)) {
    const health = turn.state.devices[device.id] ?? unchecked
    if (health.nextMs > turn.nowMs) continue
    const id = freshId(turn)
    const { timeoutMs } = device
    put(turn, device.id, { ...health, askedId: id, nextMs: turn.nowMs + timeoutMs })
    turn.effects.push({ do: 'identify', id, device: device.id, target: node, timeoutMs })
    return
  }
}

/** A device has said who it is, or why not; a fencing may be waiting for the same answer. */
export function onChecked(
  turn: Turn,
  answer: { id: number; ok: boolean; identity?: string; detail: string },
): void {
  const asked = Object.entries(turn.state.devices).find(([, each]) => each.askedId === answer.id)
  const fencing = Object.values(turn.state.fencings).find((each) => each.asked?.id === answer.id)
  const named = foreign(turn.state).find(({ device, node, step }) => {
    if (asked !== undefined) return device.id === asked[0]
    return fencing?.target === node && step.level === fencing.level && step.at === fencing.device
  })
  if (named === undefined) return
  const { device, node } = named
  const before = turn.state.devices[device.id] ?? unchecked
  const { checkEveryMs } = turn.state.config.timing
  const mine = asked?.[1].askedId === answer.id
  const after: DeviceHealth = {
    ok: answer.ok,
    okSinceMs: !answer.ok ? Infinity : before.ok ? before.okSinceMs : turn.nowMs,
    checked: true,
    verified: before.verified || isVerified(turn.state, device, node, answer),
    identity: answer.ok ? (answer.identity ?? '') : before.identity,
    detail: answer.detail,
    askedId: mine ? undefined : before.askedId,
    nextMs: turn.nowMs + (answer.ok ? checkEveryMs : Math.min(RETRY_MS, checkEveryMs)),
  }
  put(turn, device.id, after)
  stagger(turn)
  tellChange(turn, device, node, before, after)
}

/** Would it fence that very machine? Who cannot tell whose it is may be right. */
function isVerified(
  state: State,
  device: DeviceConfig,
  node: NodeId,
  { ok, identity = '' }: { readonly ok: boolean; readonly identity?: string },
): boolean {
  const expected = expectedIdentity(state, device, node)
  return ok && (identity === '' || expected === '' || sameHardware(expected, identity))
}

/** Whose hardware this device must be, as far as anybody has said; empty when nobody has. */
export function expectedIdentity(state: State, device: DeviceConfig, node: NodeId): string {
  return device.identity ?? entryOf(state.ledger, node).hardware
}

function tellChange(
  turn: Turn,
  device: DeviceConfig,
  node: NodeId,
  before: DeviceHealth,
  after: DeviceHealth,
): void {
  const facts = { device: device.id, node }
  if (!after.ok && (before.ok || !before.checked)) {
    const text = `${device.id} could not fence ${node} now: ${after.detail}`
    say(turn, 'alarm', text, facts)
  } else if (after.ok && before.checked && !before.ok) {
    say(turn, 'info', `${device.id} could fence ${node} again`, facts)
  }
  const expected = expectedIdentity(turn.state, device, node)
  const changed = before.identity !== '' && before.identity !== after.identity
  if (after.identity === '') return
  if (expected !== '' && !sameHardware(expected, after.identity)) {
    if (before.identity === after.identity) return
    const text = `${device.id} belongs to another machine (${after.identity}), not to ${node}`
    say(turn, 'alarm', `${text} (${expected}): it cannot fence it; check the wiring`, facts)
  } else if (changed && after.ok) {
    say(turn, 'alarm', `${device.id} says that it is another device than before`, facts)
  }
}

function stagger(turn: Turn): void {
  const soonMs = turn.nowMs + STAGGER_MS
  for (const { device } of foreign(turn.state)) {
    const health = turn.state.devices[device.id] ?? unchecked
    if (health.nextMs < soonMs) put(turn, device.id, { ...health, nextMs: soonMs })
  }
}

interface Named {
  readonly device: DeviceConfig
  readonly node: NodeId
  readonly step: { readonly level: number; readonly at: number }
}

/** The devices of all other nodes: a node never needs its own (F19). */
function foreign(state: State): readonly Named[] {
  const known = namedDevices.get(state.config)?.get(state.self)
  if (known !== undefined) return known
  const named = state.config.nodes
    .filter((node) => node.id !== state.self)
    .flatMap((node) =>
      node.levels.flatMap(({ devices }, level) =>
        devices.flatMap((id, at) => {
          const device = state.config.devices.find((each) => each.id === id)
          return device === undefined ? [] : [{ device, node: node.id, step: { level, at } }]
        }),
      ),
    )
  const perNode = namedDevices.get(state.config) ?? new Map<NodeId, readonly Named[]>()
  namedDevices.set(state.config, perNode.set(state.self, named))
  return named
}

/** A config never changes, so what follows from it is worked out once. */
const namedDevices = new WeakMap<object, Map<NodeId, readonly Named[]>>()

function put(turn: Turn, id: DeviceId, health: DeviceHealth): void {
  set(turn, { devices: { ...turn.state.devices, [id]: health } })
}
