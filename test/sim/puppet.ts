/**
 * A core without a mind: it notes what it is told and does what a test tells it to. With it the
 * world is tested by itself, and the promises are seen to break.
 */
import type { Effect, Press } from '../../src/core/effect.ts'
import type { Event } from '../../src/core/event.ts'
import type { Ledger, NodeEntry, Standing } from '../../src/core/ledger.ts'
import type { Message } from '../../src/core/message.ts'
import type { NodeId, RingId } from '../../src/core/model.ts'
import type { Core, Mind } from '../../src/sim/core.ts'
import { tell } from '../../src/sim/daemons.ts'
import { calm, type Faults } from '../../src/sim/faults.ts'
import { clockMs, switchOn } from '../../src/sim/machines.ts'
import { type Lots, steadyLots } from '../../src/sim/rng.ts'
import { scenarioSite, type Wishes } from '../../src/sim/scenario-site.ts'
import { World } from '../../src/sim/world.ts'

interface Puppet extends Mind {
  readonly self: NodeId
  readonly nextMs: number
}

export interface Stage {
  readonly world: World
  /** Everything a node's daemons have been told, in order. */
  told(node: NodeId): readonly Event[]
  /** What a node's present daemon has been told of one kind. */
  of<K extends Event['kind']>(node: NodeId, kind: K): Extract<Event, { kind: K }>[]
  /** Have a node's daemon do this, at once. */
  make(node: NodeId, ...effects: Effect[]): void
  /** What the ledger of every daemon says of a node, from the next event on. */
  mark(node: NodeId, standing: Standing, more?: Partial<NodeEntry>, ring?: RingId): void
}

export interface Options {
  readonly wishes?: Wishes
  readonly lots?: Lots
  readonly faults?: Faults
  /** What a daemon does at every event, beside what the test tells it to. */
  readonly habit?: (self: NodeId, event: Event) => Effect[]
  /** When it wants to be woken, after each event. */
  readonly wakeMs?: number
}

const blank: NodeEntry = {
  standing: 'member',
  because: '',
  holds: [],
  seen: true,
  barred: false,
  late: false,
  boot: '',
  hardware: '',
  rests: false,
  detached: false,
  quarantined: false,
  watch: 0,
  deferred: '',
  fencing: undefined,
}

/** A world full of puppets; nothing is switched on yet. */
export function stage({
  wishes = {},
  lots = steadyLots,
  faults = calm,
  habit,
  wakeMs = Infinity,
}: Options = {}): Stage {
  const site = scenarioSite(wishes)
  const orders = new Map<NodeId, Effect[]>()
  const heard = new Map<NodeId, Event[]>()
  let nodes: Record<NodeId, NodeEntry> = Object.fromEntries(
    site.config.nodes.map(({ id }) => [id, blank]),
  )
  let adopted: RingId = { rep: 0, seq: 0 }
  const ledger = (): Ledger => ({
    epoch: { ...adopted, step: 0 },
    coordinator: undefined,
    shots: [],
    intents: [],
    nodes,
  })
  const core: Core = {
    begin: ({ self, atMs }) => ({
      state: { self, ledger: ledger(), nextMs: atMs + wakeMs } as Puppet,
      effects: [],
    }),
    step: (state, event) => {
      const { self } = state as Puppet
      heard.set(self, [...(heard.get(self) ?? []), event])
      const effects = [...(orders.get(self) ?? []), ...(habit?.(self, event) ?? [])]
      orders.delete(self)
      return {
        state: { self, ledger: ledger(), nextMs: event.atMs + wakeMs } as Puppet,
        effects,
      }
    },
    deadlineMs: (state) => {
      return (state as Puppet).nextMs
    },
  }
  const world = new World({ core, site, faults, lots })
  return {
    world,
    told: (node) => heard.get(node) ?? [],
    of: (node, kind) => (heard.get(node) ?? []).filter((event) => event.kind === kind) as never,
    make: (node, ...effects) => {
      orders.set(node, [...(orders.get(node) ?? []), ...effects])
      const { daemon } = world.machine(node)
      if (daemon === undefined) throw new Error(`${node} has no daemon`)
      tell(world, daemon, { kind: 'tick' })
    },
    mark: (node, standing, more = {}, ring = { rep: 0, seq: 0 }) => {
      adopted = ring
      nodes = { ...nodes, [node]: { ...blank, standing, ...more } }
    },
  }
}

/** A message that only says who and how many. */
export function numbered(self: NodeId, n: number): Message {
  return { session: '', say: 'accuse', node: `${self}-${n}` }
}

/** The scene with every machine on and every daemon in one group. */
export function running(options: Options = {}): Stage {
  const scene = stage(options)
  for (const machine of scene.world.machines) switchOn(scene.world, machine, 'test')
  scene.world.run(20_000)
  return scene
}

/** A press that the present ring allows. */
export function pressOf(
  scene: Stage,
  by: NodeId,
  target: NodeId,
  more: Partial<Press> = {},
): Press {
  const machine = scene.world.machine(by)
  return {
    do: 'press',
    id: 1,
    device: `${target}/1/1`,
    target,
    action: 'off',
    fencing: 'f-1',
    ring: machine.corosync!.ring!.id,
    notAfterMs: clockMs(scene.world, machine) + 5_000,
    timeoutMs: 3_000,
    ...more,
  }
}
