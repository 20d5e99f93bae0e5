/** How Corosync's ring works, for `picket status`: Totem's values in effect, links, votes (H1). */
import type { Corosync, Link, Totem } from '../corosync/corosync.ts'

export interface RingStatus {
  readonly totem: Totem
  /** One for each link to each other node; empty without knet. */
  readonly links: readonly Link[]
  readonly votes: {
    readonly expected: number
    readonly configured: number
    /** By corosync.conf's names, those that are on. */
    readonly rules: readonly string[]
  }
}

/** As it is now. Asks nobody: all of it is mirrored by events. */
export function ringStatus(corosync: Pick<Corosync, 'totem' | 'options' | 'links'>): RingStatus {
  const { totem, options } = corosync
  const on: readonly [string, boolean][] = [
    ['two_node', options.twoNode],
    ['wait_for_all', options.waitForAll],
    ['last_man_standing', options.lastManStanding],
    ['auto_tie_breaker', options.autoTieBreaker],
    ['allow_downscale', options.allowDownscale],
    ['a quorum device', options.qdevice],
  ]
  const rules = on.flatMap(([name, isOn]) => (isOn ? [name] : []))
  const { expectedVotes: expected, configuredVotes: configured } = options
  const votes = { expected, configured, rules }
  return { totem, links: corosync.links(), votes }
}
