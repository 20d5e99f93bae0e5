/**
 * Runs the operations of resources for the daemon's hands: one at a time for each resource, each in
 * a scope of its own, each with an end. An outcome is told when everything the operation made is
 * proven gone, apart from what a successful start is meant to leave; where that cannot be proven
 * within a bound, the outcome is `unknown`, and stays so until it can.
 */
import { join } from 'node:path'
import type { Move, ResourceOp } from '../core/effect.ts'
import { loadResourceType } from './index.ts'
import { boundLogs } from './log-bound.ts'
import type { MechanismKind } from './mechanism.ts'
import { KILL_BOUND_MS, perform, performPreparation, type Room, type Slot } from './perform.ts'
import { type HalfDone, leavesService, openRecords } from './record.ts'
import type { Ran } from './resource.ts'
import { fileName, openScopes } from './scope.ts'
import { sweep } from './sweep.ts'
import { watchService } from './watch.ts'

export { OVERRUN_MS } from './perform.ts'

const MONITOR_EVERY_MS = 10_000

export interface ResourcesOptions {
  /** Ours alone; survives the daemon, need not survive a boot. */
  readonly stateDir: string
  readonly resources: readonly ListedResource[]
  readonly say: (level: 'info' | 'warn', text: string) => void
  /** A service has ended by itself between two operations. A hint to monitor now, no proof. */
  readonly onDeath?: (resource: string, because: string) => void
  /** For tests and odd machines; by default the strongest that works here. */
  readonly mechanism?: MechanismKind
  /** How long processes that were killed may take to be gone before the outcome is `unknown`. */
  readonly killBoundMs?: number
}

export interface ListedResource {
  readonly id: string
  /** Its name in the config, where that is another one: for its programs. */
  readonly name?: string
  /** Set where it is an instance of a clone: how many of them there may be. */
  readonly cloneMax?: number | undefined
  readonly type: string
  readonly options: unknown
  /** The gap between two monitors, for programs that want to know. */
  readonly monitorEveryMs?: number
}

export interface Resources {
  /** How processes are kept together here, for the log. */
  readonly mechanism: MechanismKind
  readonly place: string
  /** What each resource really is. */
  readonly things: ReadonlyMap<string, string>
  /**
   * Ends what a former daemon left half done, and says so. Has to be done before the first `run`.
   */
  sweep(): Promise<readonly string[]>
  /**
   * Runs one operation. The answer comes at most `OVERRUN_MS` after the timeout. A second operation
   * while one runs is a broken invariant of the caller's and throws.
   */
  run(id: number, resource: string, op: ResourceOp, timeoutMs: number, move?: Move): Promise<Ran>
  /** Kills a running operation; its `run` answers when all of it is gone. */
  abort(id: number): void
  /** A start may come soon. Touches nothing, answers nothing. */
  prepare(resource: string): void
  /** The same resources with other secrets. Operations under way end with the old ones. */
  renew(resources: readonly ListedResource[]): Promise<void>
  /** Ends what runs in the background of this daemon. Services stay. */
  close(): Promise<void>
}

/** Opens the resources of one node. Throws when a type or its options make no sense. */
export async function openResources(options: ResourcesOptions): Promise<Resources> {
  const { stateDir, say, killBoundMs = KILL_BOUND_MS } = options
  const warn = (text: string) => say('warn', text)
  const scopes = openScopes({ stateDir, mechanism: options.mechanism, warn })
  if (scopes.kind === 'marker' && options.mechanism === undefined) {
    warn(
      'no control group can be written here, so processes are followed by a mark in their ' +
        'environment, which a program can wipe off; give picketd a writable /sys/fs/cgroup',
    )
  }
  const room: Room = { scopes, records: openRecords(stateDir), stateDir, say, killBoundMs }
  const slots = await openSlots(room, options)
  return serve(room, slots)
}

function serve(room: Room, slots: ReadonlyMap<string, Slot>): Resources {
  const { scopes } = room
  const slotOf = (resource: string): Slot => {
    const slot = slots.get(resource)
    if (slot === undefined) throw new Error(`there is no resource ${resource} in this config`)
    return slot
  }
  const background = new Set<Promise<void>>()
  const endLogBound = boundLogs(join(room.stateDir, 'log'), (text) => room.say('warn', text))
  let swept = false
  return {
    mechanism: scopes.kind,
    place: scopes.place,
    things: new Map([...slots].map(([id, { type }]) => [id, type.thing])),
    async sweep() {
      const begun = new Set(
        room.records
          .halfDone()
          .filter(mayHaveStarted)
          .map(({ resource }) => resource),
      )
      for (const [id, slot] of slots) slot.unrevoked = begun.has(fileName(id))
      const { sentences, leftovers } = await sweep({ ...room, resources: [...slots.keys()] })
      for (const [id, names] of leftovers) {
        const slot = slots.get(id)
        if (slot !== undefined) slot.leftovers = names
      }
      swept = true
      return sentences
    },
    async run(id, resource, op, timeoutMs, move) {
      const slot = slotOf(resource)
      if (!swept) throw new Error(`${op} of ${resource} before the sweep (S10)`)
      if (slot.current !== undefined) {
        throw new Error(`${op} of ${resource} while operation ${slot.current.id} runs (S1)`)
      }
      const controller = new AbortController()
      slot.current = { id, controller }
      slot.watch.rest()
      try {
        return await perform(room, slot, { id, op, timeoutMs, move, controller })
      } finally {
        slot.current = undefined
      }
    },
    abort(id) {
      for (const { current } of slots.values()) {
        if (current?.id === id) current.controller.abort('it was aborted')
      }
    },
    prepare(resource) {
      const slot = slotOf(resource)
      if (!swept || slot.type.prepare === undefined || slot.preparing || slot.current) return
      slot.preparing = new AbortController()
      const over = performPreparation(room, slot, slot.preparing).finally(() => {
        slot.preparing = undefined
        background.delete(over)
      })
      background.add(over)
    },
    async renew(resources) {
      for (const { id, type, options } of resources) {
        slotOf(id).type = (await loadResourceType(type)).open(options)
      }
    },
    async close() {
      endLogBound()
      for (const { preparing, watch } of slots.values()) {
        watch.rest()
        preparing?.abort()
      }
      await Promise.all(background)
      for (const { type } of slots.values()) type.close()
    },
  }
}

/** A record that makes no sense is taken for the worst it could be. */
function mayHaveStarted({ record }: HalfDone): boolean {
  return leavesService(record?.op ?? 'start')
}

async function openSlots(room: Room, options: ResourcesOptions): Promise<Map<string, Slot>> {
  const slots = new Map<string, Slot>()
  for (const listed of options.resources) {
    const { id, name = id, cloneMax, type } = listed
    const { options: raw, monitorEveryMs = MONITOR_EVERY_MS } = listed
    const onDeath = (because: string) => options.onDeath?.(id, because)
    const open = (await loadResourceType(type)).open(raw)
    const { scopes } = room
    const watch = watchService({ resource: id, scopes, own: open.watch, onDeath })
    const idle = { current: undefined, preparing: undefined, leftovers: [], unrevoked: false }
    slots.set(id, { id, name, cloneMax, type: open, monitorEveryMs, watch, ...idle })
  }
  return slots
}
