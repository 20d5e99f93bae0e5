/** Swarms of clusters in which half of the nodes may decide (S18). */
import type { Bias } from './biased.ts'
import { twoHalves, twoNodes } from './biased-sites.ts'

export const halvesBiases: Readonly<Record<string, Bias>> = {
  'two-nodes': {
    about: 'two nodes, each of which may go on without the other',
    site: twoNodes,
    faults: (faults) => ({ ...faults, splitPercent: 8, healPercent: 25, powerOnPercent: 40 }),
  },
  'two-halves': {
    about: 'a quorum device decides which half of four nodes goes on',
    site: twoHalves,
    faults: (faults) => ({ ...faults, splitPercent: 10, healPercent: 25, powerOnPercent: 40 }),
  },
  'two-nodes-meet-again': {
    about: 'two nodes are parted for a moment, again and again, beside devices that hardly work',
    site: twoNodes,
    faults: (faults) => ({
      ...faults,
      splitPercent: 25,
      healPercent: 50,
      deviceHangPercent: 20,
      pressLatePercent: 30,
      replyLostPercent: 20,
      crashPercent: 4,
      intentPercent: 10,
    }),
  },
}
