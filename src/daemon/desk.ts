/** What the control socket shows of a daemon, and the orders that it takes: see `control.ts`. */
import type { State } from '../core/state.ts'
import { describe } from '../core/status.ts'
import type { Clock } from './clock.ts'
import type { Desk } from './control.ts'
import type { RunningNode } from './runner.ts'

export interface DeskOptions {
  readonly clock: Clock
  readonly cluster: string
  readonly journalPath: string
  /** `undefined` until the node has begun. */
  readonly node: () => RunningNode<State> | undefined
}

/** How the daemon itself is; the rest of a status is the cluster's. */
export interface DaemonStatus {
  readonly pid: number
  readonly upMs: number
  /** How late the loop was, last and at worst. */
  readonly lagMs: number
  readonly worstLagMs: number
  readonly rssBytes: number
}

export function deskOf({ clock, cluster, journalPath, node }: DeskOptions): Desk {
  const beganMs = clock.nowMs()
  const daemon = (): DaemonStatus => {
    const { lastMs, worstMs } = node()?.lag() ?? { lastMs: 0, worstMs: 0 }
    return {
      pid: process.pid,
      upMs: clock.nowMs() - beganMs,
      lagMs: lastMs,
      worstLagMs: worstMs,
      rssBytes: process.memoryUsage.rss(),
    }
  }
  return {
    journalPath,
    status() {
      const running = node()
      if (running === undefined) {
        const because = 'picketd waits for Corosync'
        return { cluster, ready: false, because, daemon: daemon() }
      }
      return { ...describe(running.state(), clock.nowMs()), daemon: daemon() }
    },
    orders: () => node()?.state().orders ?? [],
    give(order) {
      const running = node()
      if (running === undefined)
        return 'this node has not joined the cluster: it waits for Corosync'
      running.tell({ kind: 'order', order })
      return undefined
    },
  }
}
