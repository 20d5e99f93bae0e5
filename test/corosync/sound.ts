/** The rules of quorum of a cluster of three about which there is nothing to say. */
import type { QuorumOptions } from '../../src/corosync/corosync.ts'

export const sound: QuorumOptions = {
  twoNode: false,
  waitForAll: false,
  lastManStanding: false,
  autoTieBreaker: false,
  allowDownscale: false,
  qdevice: false,
  expectedVotes: 3,
  configuredVotes: 3,
  unequalVotes: false,
  understated: false,
}
