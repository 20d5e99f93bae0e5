/**
 * What the log says about Corosync itself: how its ring works, what about it is risky, its links.
 */
import type { QuorumRisk } from '../config/corosync.ts'
import type { Corosync, Link, QuorumOptions } from '../corosync/corosync.ts'
import type { Say } from './log.ts'

/** How the ring works, once, when the group is joined. */
export function sayRing({ self, totem, nodes }: Corosync, say: Say): void {
  const { transport, tokenMs, consensusMs } = totem
  say(
    'info',
    `This node is ${self}, one of ${nodes.length} in Corosync's nodelist. Totem runs over ` +
      `${transport}, token ${tokenMs} ms, consensus ${consensusMs} ms.`,
  )
}

/** What in the rules of quorum picketd does not start with, unless the config accepts it. */
export function risksOf(options: QuorumOptions): ReadonlyMap<QuorumRisk, string> {
  const risks: readonly (readonly [QuorumRisk, boolean, string])[] = [
    [
      'two_node',
      options.twoNode && !options.waitForAll,
      'two_node without wait_for_all would let a node that boots alone fence the other one, so ' +
        'neither takes over from the other; set wait_for_all: 1',
    ],
    [
      'auto_tie_breaker',
      options.autoTieBreaker,
      'auto_tie_breaker lets half of the nodes be quorate, and picketd decides nothing there; ' +
        'with a quorum device it does',
    ],
    [
      'last_man_standing',
      options.lastManStanding,
      'last_man_standing lets fewer and fewer nodes be quorate, and picketd decides nothing with ' +
        'fewer than most of them',
    ],
    [
      'allow_downscale',
      options.allowDownscale,
      'allow_downscale lets nodes that leave take their votes with them, and picketd decides ' +
        'nothing with fewer than most of all nodes',
    ],
    [
      'quorum_votes',
      options.unequalVotes,
      'quorum_votes gives some nodes more votes than others: picketd decides only where most of ' +
        'the nodes are and most of the votes, so that it may decide nowhere',
    ],
    [
      'expected_votes',
      options.understated,
      'expected_votes is less than the nodes have, so that two parts of the cluster may be ' +
        'quorate at once; take it out',
    ],
  ]
  return new Map(risks.flatMap(([name, there, text]) => (there ? [[name, text] as const] : [])))
}

/** Why picketd does not start with these rules, in sentences; none where all are accepted. */
export function refusedIn(
  options: QuorumOptions,
  accepted: readonly QuorumRisk[],
): readonly string[] {
  return [...risksOf(options)].flatMap(([name, text]) => {
    if (accepted.includes(name)) return []
    const otherwise = `where that is wanted, write corosync: {accept: [${name}]} in the config`
    return [`Corosync's quorum: ${text} in corosync.conf; ${otherwise}.`]
  })
}

/** What stands in every status about these rules, as they are now. */
export function quorumAlarms(
  options: QuorumOptions,
  accepted: readonly QuorumRisk[],
): readonly string[] {
  const risks = [...risksOf(options)].map(([name, text]) => {
    const how = accepted.includes(name)
      ? `accepted by corosync.accept: ${name}`
      : 'new since picketd started, and refused at its next start'
    return `Corosync's quorum: ${text} (${how})`
  })
  return [...risks, ...weakened(options)]
}

/** Quorum is computed from fewer votes than are configured: somebody has ordered it for a while. */
function weakened({ expectedVotes, configuredVotes }: QuorumOptions): readonly string[] {
  if (expectedVotes >= configuredVotes) return []
  return [
    `Corosync's quorum: it is computed from ${expectedVotes} votes, and the configuration has ` +
      `${configuredVotes}; corosync-quorumtool -e ${configuredVotes} puts it right`,
  ]
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
