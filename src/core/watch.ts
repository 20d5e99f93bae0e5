/**
 * Off, and it stays off (F16): where something else may switch a node on again after it was proven
 * off (an HA manager, an auto scaling group, a plug's own timer), the coordinator goes on reading
 * its power for as long as that may happen. What comes back by itself is an alarm, and is fenced
 * again, under the same rules as every fencing.
 *
 * It has come back when its device says so twice, while nobody has ordered it on and nothing of it
 * is in the ring: a node whose Corosync is back is on its way to us, and is judged there.
 */
import { expectedIdentity } from './devices.ts'
import { once, type Waits } from './duty.ts'
import { entryOf } from './ledger.ts'
import { type DeviceConfig, type NodeId, type Power, sameHardware } from './model.ts'
import { freshId, type State, say, set, type Turn, type Watch } from './state.ts'

/** Gap between two readings: it is no hurry, and an API counts its calls. */
const EVERY_MS = 5_000

/** The level that is worth watching, as the ledger keeps it; 0 where nothing may switch it on. */
export function levelToWatch(state: State, node: NodeId, level: number): number {
  return watchedDevice(state, node, level) === undefined ? 0 : level
}

/**
 * Reads what is due, ends what is over, and names the nodes that have come back by themselves.
 */
export function watchFenced(turn: Turn, waits: Waits): readonly NodeId[] {
  const returned: NodeId[] = []
  for (const [node, { watch, standing }] of Object.entries(turn.state.ledger.nodes)) {
    if (watch === 0 || standing !== 'fenced') continue
    const device = watchedDevice(turn.state, node, watch)
    const spanMs = waits.standingMs(`watch:${node}`)
    if (device === undefined || spanMs >= device.returnsMs) {
      once(turn, `unwatch:${node}`, { say: 'unwatch', node })
    } else if (turn.state.group?.ringMembers.includes(node) !== true) {
      const { ons, nextMs } = turn.state.watches[node] ?? unread
      if (ons >= 2) returned.push(node)
      else if (nextMs <= turn.nowMs) read(turn, node, device)
    }
  }
  return returned
}

/** A device has been read; true where it was for a watch. */
export function onWatched(
  turn: Turn,
  id: number,
  { power, identity }: { power: Power; identity?: string },
): boolean {
  const found = Object.entries(turn.state.watches).find(([, { askedId }]) => askedId === id)
  if (found === undefined) return false
  const [node, watch] = found
  const device = watchedDevice(turn.state, node, entryOf(turn.state.ledger, node).watch)
  if (device === undefined) return true
  const expected = expectedIdentity(turn.state, device, node)
  const ours = identity === undefined || expected === '' || sameHardware(expected, identity)
  const ons = power === 'on' && ours ? watch.ons + 1 : 0
  if (ons === 2) {
    const text = `${node} is on again (${device.id}), and nobody here has switched it on`
    say(turn, 'alarm', text, { node, device: device.id })
  }
  // The second reading decides, and follows the first as soon as it means anything.
  const gapMs = ons === 1 ? device.readGapMs : EVERY_MS
  put(turn, node, { askedId: undefined, ons, nextMs: turn.nowMs + gapMs })
  return true
}

/** What is not watched any more is forgotten, also by a member that does not lead. */
export function dropWatches(turn: Turn): void {
  const { watches, ledger } = turn.state
  const kept = Object.entries(watches).filter(([node]) => entryOf(ledger, node).watch > 0)
  if (kept.length < Object.keys(watches).length) set(turn, { watches: Object.fromEntries(kept) })
}

const unread: Watch = { askedId: undefined, ons: 0, nextMs: -Infinity }

function read(turn: Turn, node: NodeId, { id: device, timeoutMs }: DeviceConfig): void {
  const id = freshId(turn)
  const before = turn.state.watches[node] ?? unread
  // Whatever becomes of the answer, there is another reading.
  put(turn, node, { ...before, askedId: id, nextMs: turn.nowMs + timeoutMs + EVERY_MS })
  turn.effects.push({ do: 'read', id, device, target: node, timeoutMs })
}

/** Of the level that proved it, the device behind which it may come back the longest. */
function watchedDevice(state: State, node: NodeId, level: number): DeviceConfig | undefined {
  const names = state.config.nodes.find(({ id }) => id === node)?.levels[level - 1]?.devices ?? []
  return state.config.devices
    .filter(({ id, returnsMs }) => names.includes(id) && returnsMs > 0)
    .sort((a, b) => b.returnsMs - a.returnsMs)
    .at(0)
}

function put(turn: Turn, node: NodeId, watch: Watch): void {
  set(turn, { watches: { ...turn.state.watches, [node]: watch } })
}
