/**
 * What the log says about Corosync itself: how its ring works, what about it is risky, its links.
 */
import type { Corosync, Link, QuorumOptions } from '../corosync/corosync.ts'
import type { Say } from './log.ts'

/** How the ring works, once, when the group is joined; and every rule that makes quorum weaker. */
export function sayRing({ self, totem, options, nodes }: Corosync, say: Say): void {
  const { transport, tokenMs, consensusMs } = totem
  say(
    'info',
    `This node is ${self}, one of ${nodes.length} in Corosync's nodelist. Totem runs over ` +
      `${transport}, token ${tokenMs} ms, consensus ${consensusMs} ms.`,
  )
  for (const risk of risksOf(options)) say('warn', `Corosync's quorum: ${risk}.`)
}

/** What in these rules lets a smaller part of the cluster decide than half of all its nodes. */
export function risksOf(options: QuorumOptions): readonly string[] {
  const risks: string[] = []
  const { expectedVotes, configuredVotes } = options
  if (options.twoNode && !options.waitForAll) {
    risks.push(
      'two_node without wait_for_all would let a node that boots alone fence the other one, so ' +
        'neither takes over from the other; set wait_for_all: 1 in corosync.conf',
    )
  }
  if (options.autoTieBreaker) {
    risks.push(
      'auto_tie_breaker lets half of the nodes be quorate, and picketd decides nothing there; ' +
        'with a quorum device it does',
    )
  }
  if (options.lastManStanding || options.allowDownscale) {
    risks.push(
      'last_man_standing or allow_downscale lets the cluster shrink until one node decides ' +
        'alone; ' +
        'this is safe only with fence devices that are independent of the nodes',
    )
  }
  if (expectedVotes < configuredVotes) {
    risks.push(
      `it is computed from ${expectedVotes} votes, and the configuration has ${configuredVotes}; ` +
        `corosync-quorumtool -e ${configuredVotes} puts it right`,
    )
  }
  return risks
}

/** Tells of every link that goes down or comes up; `onLinks` of Corosync's port. */
export function sayLinks(say: Say): (links: readonly Link[]) => void {
  const known = new Map<string, boolean>()
  return (links) => {
    for (const { node, link, up } of links) {
      const name = `link ${link} to ${node}`
      const before = known.get(name)
      known.set(name, up)
      // A link that is up when it is first seen is no news.
      if (before === up || (before === undefined && up)) continue
      say(up ? 'info' : 'warn', `Corosync's ${name} is ${up ? 'up again' : 'down'}.`, { node })
    }
  }
}
