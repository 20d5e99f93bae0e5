/**
 * `corosync: {accept: […]}` (H25): rules of Corosync's quorum that picketd refuses to start with,
 * unless the config accepts them by name. What each of them means stands in daemon/ring.ts.
 */

/** The options of corosync.conf that may be accepted, as they are called there. */
export const quorumRisks = [
  'two_node',
  'auto_tie_breaker',
  'last_man_standing',
  'allow_downscale',
  'quorum_votes',
  'expected_votes',
] as const
export type QuorumRisk = (typeof quorumRisks)[number]
