/** What the control socket shows of a daemon, and the orders that it takes: see `control.ts`. */
import { alarmsOf } from '../core/alarms.ts'
import { explain, explainClone } from '../core/explain.ts'
import { foresee } from '../core/foresee.ts'
import { describe } from '../core/status.ts'
import type { Clock } from './clock.ts'
import type { Desk } from './control.ts'
import type { Mailbox } from './mailbox.ts'

export interface DeskOptions {
  readonly clock: Clock
  readonly journalPath: string
  readonly mailbox: Mailbox
  /** What the next picketd reads. */
  readonly configFile: string
}

/** How the daemon itself is; the rest of a status is the cluster's. */
export interface DaemonStatus {
  readonly pid: number
  readonly configFile: string
  readonly upMs: number
  /** How late the loop was, last and at worst. */
  readonly lagMs: number
  readonly worstLagMs: number
  readonly rssBytes: number
}

export function deskOf({ clock, journalPath, mailbox, configFile }: DeskOptions): Desk {
  const beganMs = clock.nowMs()
  const daemon = (): DaemonStatus => {
    const { lastMs, worstMs } = mailbox.node?.lag() ?? { lastMs: 0, worstMs: 0 }
    return {
      pid: process.pid,
      configFile,
      upMs: clock.nowMs() - beganMs,
      lagMs: lastMs,
      worstLagMs: worstMs,
      rssBytes: process.memoryUsage.rss(),
    }
  }
  const waitsFor = () => `picketd has not joined the cluster yet: ${mailbox.waitsFor}`
  return {
    journalPath,
    status() {
      const running = mailbox.node
      if (running === undefined) return waitsFor()
      const state = running.state()
      const alarms = [...alarmsOf(state), ...mailbox.quorumAlarms()]
      const more = { alarms, corosync: mailbox.ring?.(), daemon: daemon() }
      return { ...describe(state, clock.nowMs()), ...more }
    },
    explain(resource) {
      const running = mailbox.node
      if (running === undefined) return waitsFor()
      const state = running.state()
      const names = [...new Set(state.config.resources.map(({ id, clone }) => clone?.id ?? id))]
      const none = names.length === 0 ? 'this cluster has none' : `there are ${names.join(', ')}`
      const found = explainClone(state, resource) ?? explain(state, resource)
      return found ?? `there is no resource ${resource}; ${none}`
    },
    foresee(order) {
      const running = mailbox.node
      return running === undefined ? waitsFor() : foresee(running.state(), order)
    },
    prove: (nodeid, requester) => mailbox.prove?.(nodeid, requester) ?? waitsFor(),
    accept: async (requester, reason) => {
      return (await mailbox.heads?.accept(requester, reason)) ?? waitsFor()
    },
    orders: () => mailbox.node?.state().orders ?? [],
    give(order) {
      const running = mailbox.node
      if (running === undefined) return waitsFor()
      running.tell({ kind: 'order', order })
      return undefined
    },
  }
}
