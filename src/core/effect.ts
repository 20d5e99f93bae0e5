/**
 * All that a node can do. The core returns effects; the hands carry them out, and every deed but
 * `send`, `say`, `prepare`, `expect`, `lease`, `disarm`, `handOver` and `exit` ends in an event
 * that echoes its `id`.
 */
import type { Ledger } from './ledger.ts'
import type { Message } from './message.ts'
import type { CheckId, DeviceId, NodeId, ResourceId, RingId } from './model.ts'

export type Effect = Readonly<
  /** Multicast to the group, in agreed order. May be lost with the ring; never repeated by hand. */
  | { do: 'send'; message: Message }
  /** Write the ledger to disk, atomically and fsynced, before `saved` is told. */
  | { do: 'save'; id: number; ledger: Ledger }
  /** Press a power button, if `mayPress` still says so at the moment of sending (S14). */
  | Press
  /** Ask a device for a node's power. Changes nothing. */
  | { do: 'read'; id: number; device: DeviceId; target: NodeId; timeoutMs: number }
  /** Ask a device with our credentials who it is. Changes nothing (F1 `verify`). */
  | { do: 'identify'; id: number; device: DeviceId; target: NodeId; timeoutMs: number }
  /** Listen whether any address of a node still answers: several probes each (F8). */
  | { do: 'listen'; id: number; target: NodeId; addresses: readonly string[]; windowMs: number }
  /** Run one operation of a resource in a scope of its own. */
  | {
      do: 'run'
      id: number
      resource: ResourceId
      op: ResourceOp
      timeoutMs: number
      /** With `migrate_to` and `migrate_from`. */
      move?: Move
    }
  /** Kill a running operation and all its processes; `ran` follows when they are proven gone. */
  | { do: 'abort'; id: number; resource: ResourceId }
  /** Ask one health check, of this node or of a resource that runs here. Changes nothing. */
  | { do: 'check'; id: number; check: CheckId; resource: ResourceId; timeoutMs: number }
  /** We may be asked to start this soon: do now what can be done without touching anything. */
  | { do: 'prepare'; resource: ResourceId }
  /** Open this node's watchdog and feed it until then: from now on silence resets the machine. */
  | { do: 'arm'; id: number; untilMs: number }
  /** Feed the watchdog until then, and no longer. */
  | { do: 'lease'; untilMs: number }
  /** Everything is stopped: the watchdog is told to let this machine be. */
  | { do: 'disarm' }
  /** The watchdog is to count on until then, for the next daemon to feed it. */
  | { do: 'handOver'; untilMs: number }
  /** Corosync is told to expect so many votes, until its next start; `quorum` tells the rest. */
  | { do: 'expect'; votes: number }
  /** A sentence for the log, with its because. */
  | Say
  /** Everything is stopped and said: end the process. */
  | { do: 'exit'; code: number; because: string }
>

/** `migrate_to` sends a running resource from here, `migrate_from` takes it over here (H2). */
export const resourceOps = [
  ...(['probe', 'start', 'stop', 'monitor', 'migrate_to', 'migrate_from'] as const),
] as const
export type ResourceOp = (typeof resourceOps)[number]

/** The two nodes of a live move. */
export interface Move {
  readonly source: NodeId
  readonly target: NodeId
}

export interface Press {
  readonly do: 'press'
  readonly id: number
  readonly device: DeviceId
  readonly target: NodeId
  readonly action: 'off' | 'on' | 'reset'
  /** The fencing this belongs to. */
  readonly fencing: string
  /** The authority it was decided under: void as soon as the ring or the verdict is another one. */
  readonly ring: RingId
  readonly notAfterMs: number
  readonly timeoutMs: number
}

export interface Say {
  readonly do: 'say'
  readonly level: 'info' | 'warn' | 'alarm'
  readonly text: string
  /** The same facts for machines, e.g. `{ node: 'b', device: 'b/1/1' }`. */
  readonly facts?: Readonly<Record<string, string | number | boolean>>
}

/** What the hands know at the moment of sending: the newest word of the local Corosync. */
export interface Authority {
  readonly ring: RingId
  readonly quorate: boolean
  readonly nowMs: number
}

/** May this button still be pressed? Asked by the hands before each write to the wire (S14). */
export function mayPress(press: Press, now: Authority): boolean {
  return (
    now.quorate &&
    now.ring.rep === press.ring.rep &&
    now.ring.seq === press.ring.seq &&
    now.nowMs <= press.notAfterMs
  )
}
