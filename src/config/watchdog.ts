/**
 * The `watchdog` section: which nodes use theirs, and for how long a node that lost its quorum is
 * fed. Everything on it has to stop within that time, so a lease that is shorter than the longest
 * stop chain is refused (H25).
 */
import { type Chain, longestChain } from '../core/chain.ts'
import type { NodeId, ResourceConfig, Timing, WatchdogConfig } from '../core/model.ts'
import { driftMs } from '../core/watchdog.ts'
import type { Problem } from './problem.ts'
import type { Resource } from './resources.ts'
import type { ConfigFile } from './schema.ts'
import { ms } from './timing.ts'
import type { Source } from './yaml.ts'

/** What the hands need to know, and the core does not. */
export interface WatchdogHands {
  readonly devices: Readonly<Record<NodeId, string>>
  /** A device may round its timeout up to this, and no further. */
  readonly timeoutMaxMs: number
}

/** How long Corosync may take to say that a ring is broken: its token and consensus together. */
export const detectMs = 10_000

interface Read {
  readonly watchdog: { readonly core: WatchdogConfig; readonly hands: WatchdogHands } | undefined
  readonly problems: readonly Problem[]
}

export function readWatchdog(
  { cluster, watchdog }: ConfigFile,
  source: Source,
  resources: readonly Resource[],
  timing: Timing,
): Read {
  const used = cluster.nodes.flatMap((node) => {
    const mode = node.watchdog?.mode ?? watchdog.mode
    const device = node.watchdog?.device ?? watchdog.device
    return mode === 'off' ? [] : [{ node: node.name, mode, device }]
  })
  if (used.length === 0) return { watchdog: undefined, problems: [] }
  const all = resources.map(({ config }) => config)
  const chain = longest(
    all,
    used.map(({ node }) => node),
    timing,
  )
  const timeoutMs = ms(watchdog.timeout_seconds)
  const neededMs = chain.totalMs + detectMs + driftMs
  const leastMs = neededMs + timeoutMs
  // Where nothing is written, a device may make twice the timeout of it.
  const leaseMs = watchdog.lease_seconds ? ms(watchdog.lease_seconds) : leastMs + timeoutMs
  const problems: Problem[] = []
  if (leaseMs < leastMs) {
    const place = source.placeOf(['watchdog', 'lease_seconds'])
    problems.push({ ...place, message: tooShort(leaseMs, leastMs, timeoutMs, chain) })
  }
  problems.push(
    ...frozen(
      all,
      used.map(({ node }) => node),
      source,
    ),
  )
  const modes = Object.fromEntries(used.map(({ node, mode }) => [node, mode]))
  const devices = Object.fromEntries(used.map(({ node, device }) => [node, device]))
  return {
    watchdog: {
      core: { modes, timeoutMs, leaseMs },
      hands: { devices, timeoutMaxMs: leaseMs - neededMs },
    },
    problems,
  }
}

/** What is to run on without quorum would be reset for doing so. */
function frozen(
  all: readonly ResourceConfig[],
  guarded: readonly NodeId[],
  source: Source,
): readonly Problem[] {
  return all.flatMap(({ id, nodes, noQuorum }) => {
    const both = nodes.filter((node) => guarded.includes(node))
    if (noQuorum !== 'freeze' || both.length === 0) return []
    const message =
      `${id} is to freeze without quorum, and the watchdog of ${both.join(', ')} resets a node ` +
      'that still runs something then; write no_quorum: stop, or watchdog: {mode: off} there'
    return [{ ...source.placeOf(['watchdog']), message }]
  })
}

function longest(all: readonly ResourceConfig[], nodes: readonly NodeId[], timing: Timing): Chain {
  const chains = nodes.map((node) => longestChain(all, node, timing))
  return chains.reduce((one, other) => (other.totalMs > one.totalMs ? other : one))
}

/** What makes up the least lease, so that a person sees which part to change. */
function tooShort(leaseMs: number, leastMs: number, timeoutMs: number, chain: Chain): string {
  const s = (spanMs: number) => `${spanMs / 1_000} s`
  const parts = chain.links.map(({ id, onceMs }, i) => {
    const last = i === chain.links.length - 1
    if (!last || chain.attempts === 1) return `${id} ${s(onceMs)}`
    return `${id} ${chain.attempts} × ${s(onceMs)} and ${s(chain.pausesMs)} between`
  })
  const order = parts.length > 1 ? ' one after the other' : ''
  const stops = `everything to stop${order} (${parts.join(', ')}), `
  const stopping = parts.length > 0 ? `${s(chain.totalMs)} for ${stops}` : ''
  return (
    `watchdog.lease_seconds is ${leaseMs / 1_000}; write at least ${leastMs / 1_000}: ` +
    `${s(detectMs)} for Corosync to notice, ${stopping}` +
    `${s(timeoutMs)} for the watchdog and ${s(driftMs)} for its clock; or shorten ` +
    'timeouts.stop_seconds, timeouts.monitor_seconds or timing.stop_attempts'
  )
}
