/**
 * The physical world around the cores: what exists, virtual time, and the trace. What the parts do
 * stands in a file for each: machines, daemons, rings and cpg, devices, resources, disks.
 *
 * Everything a real cluster suffers is drawn from seeded generators, so a failing life is two words
 * long: the commit and the seed.
 */
import type { Ledger } from '../core/ledger.ts'
import type { Message } from '../core/message.ts'
import type { Config, DeviceId, NodeId, ResourceId } from '../core/model.ts'
import { Agenda } from './agenda.ts'
import type { Ailments } from './checks.ts'
import type { Core } from './core.ts'
import type { Ring } from './cpg.ts'
import type { Daemon } from './daemons.ts'
import { type Device, type DeviceKind, makeDevices } from './devices.ts'
import type { Disk } from './disks.ts'
import type { Faults } from './faults.ts'
import { makeNetwork, type Network } from './network.ts'
import type { Pace } from './pace.ts'
import type { Habits, Operation } from './resources.ts'
import type { Lots } from './rng.ts'
import type { Dog } from './watchdogs.ts'
import { makeWitness, type Witness } from './witness.ts'

/** The cluster's config, and the facts of the site that no config tells. */
export interface Site {
  readonly config: Config
  /** With an even number of nodes, a quorum device gives one half the majority, seconds late. */
  readonly qdevice: boolean
  /** `two_node` with `wait_for_all`: each of two is quorate alone, once it has seen the other. */
  readonly twoNode: boolean
  readonly tokenMs: number
  readonly bootMs: number
  /** The nodes can read their own hardware uuid. */
  readonly announces: boolean
  /** The devices tell whose power they switch. */
  readonly identifies: boolean
  /** What the devices are; a BMC where nothing is said, and an outlet where its driver is `pdu`. */
  readonly kinds?: ReadonlyMap<DeviceId, DeviceKind>
  readonly pace?: Pace
  /** Machines whose watchdog cannot be had, although their config wants one. */
  readonly undogged?: readonly NodeId[]
  /** A service manager keeps the watchdog open from one daemon to the next. */
  readonly keeper?: boolean
}

export interface Setup {
  readonly core: Core
  readonly site: Site
  readonly faults: Faults
  readonly lots: Lots
  /** Freeze every state and send everything through JSON: slow, for tests. */
  readonly strict?: boolean
  /** Trace also every message, read and probe. */
  readonly verbose?: boolean
  /** Go on after a broken promise, and keep what was broken, but for these. */
  readonly borne?: readonly string[]
}

/** What a machine is made of; each part can be frozen on its own. */
export type Part = 'corosync' | 'daemon' | 'scripts'

export interface Machine {
  readonly id: NodeId
  /** Corosync's own numeric id. */
  readonly nodeid: number
  readonly hardware: string
  /** Which protocol the next daemon speaks. */
  protocol: number
  /** What its config file says at the next start of the daemon. */
  config: Config
  /** Is there current at the wall? */
  wall: boolean
  /** The power button's state, as its BMC last set it. */
  switchedOn: boolean
  powered: boolean
  readonly history: { readonly atMs: number; readonly on: boolean }[]
  boot: number
  /** The kernel runs: it answers network probes, also while everything above it is frozen. */
  up: boolean
  /** When its monotonic clock read zero. No two clocks agree (S12). */
  clockZeroMs: number
  readonly frozen: Record<Part, number>
  /** When some part of it last went on. */
  thawedMs: number
  readonly waiting: { corosync: (() => void)[]; scripts: (() => void)[] }
  corosync: Corosync | undefined
  /** The highest ring sequence it has seen; Corosync keeps it on disk. */
  ringSeq: number
  daemon: Daemon | undefined
  lives: number
  /** A daemon is about to start: it sweeps the scopes of its predecessor first. */
  starting: boolean
  /** Its daemon left on purpose; only a person starts it again. */
  resting: boolean
  readonly disk: Disk
  /** What is truly active, whatever any daemon believes. */
  readonly things: Map<string, Active>
  readonly stuck: Set<string>
  readonly operations: Set<Operation>
  /** Its watchdog, while it counts. */
  dog: Dog | undefined
  /** It was given up, and stays off until it is installed anew. */
  gone?: boolean
  /** The boot in which its kernel died and writes a dump. */
  dumping?: number | undefined
}

export interface Corosync {
  ring: Ring | undefined
  /** What local daemons have said or done that the ring has not ordered yet. */
  readonly outbox: Outgoing[]
  lastSubmitMs: number
  /** The votes that it was told to expect since it began; else one for each machine. */
  expected?: number
  /** Has it been in a ring of all machines since it began (`wait_for_all`)? */
  seenAll: boolean
}

export type Outgoing =
  | { readonly kind: 'join' | 'part'; readonly daemon: Daemon }
  | {
      readonly kind: 'message'
      readonly daemon: Daemon
      readonly message: Message
      /** The ring it was said in; ordered in a later one, it is void to everybody. */
      readonly saidIn: Ring | undefined
    }

export interface Active {
  readonly sinceMs: number
  /** Started by something that is not Picket. */
  foreign: boolean
  /** It was sent here by a live move, and nobody has taken it over yet. */
  half?: boolean
}

/** A promise that was broken while the life went on. */
export interface Broken {
  readonly promise: string
  readonly text: string
  readonly atMs: number
}

/** A promise was broken. */
export class Violation extends Error {
  override readonly name = 'Violation'
  readonly promise: string

  constructor(promise: string, text: string) {
    super(`${promise}: ${text}`)
    this.promise = promise
  }
}

export class World {
  readonly core: Core
  readonly site: Site
  readonly lots: Lots
  readonly strict: boolean
  readonly verbose: boolean
  faults: Faults
  readonly agenda = new Agenda()
  readonly machines: readonly Machine[]
  readonly devices: ReadonlyMap<string, Device>
  readonly network: Network
  readonly witness: Witness
  readonly habits: Habits = new Map()
  readonly ailments: Ailments = new Map()
  /** How long a check takes to answer, by `machine/check`, where a scenario has said so. */
  readonly slowChecks = new Map<string, number>()
  /** What was broken, where a life goes on after that; `undefined` where it ends with the first. */
  readonly broken: Broken[] | undefined
  readonly borne: readonly string[]
  readonly #lines: string[] = []
  /** How many events the daemons have been told. */
  events = 0
  presses = 0
  starts = 0

  constructor({ core, site, faults, lots, strict = false, verbose = false, borne }: Setup) {
    this.core = core
    this.site = site
    this.lots = lots
    this.strict = strict
    this.verbose = verbose
    this.faults = faults
    this.machines = site.config.nodes.map(({ id }, index) => makeMachine(id, index + 1, site))
    this.devices = makeDevices(this)
    this.network = makeNetwork(this.machines.length)
    this.witness = makeWitness()
    this.broken = borne === undefined ? undefined : []
    this.borne = borne ?? []
  }

  get nowMs(): number {
    return this.agenda.nowMs
  }

  /** A line of the trace. */
  say(line: string): void {
    this.#lines.push(`${String(Math.round(this.agenda.nowMs)).padStart(7)}  ${line}`)
  }

  /** What happened, line by line. */
  get trace(): readonly string[] {
    return this.#lines
  }

  after(delayMs: number, run: () => void): void {
    this.agenda.after(delayMs, run)
  }

  /** Let virtual time pass. */
  run(forMs: number): void {
    const untilMs = this.agenda.nowMs + forMs
    while (this.agenda.advance(untilMs)) {
      // Everything happens inside.
    }
  }

  machine(id: NodeId): Machine {
    const found = this.machines.find((machine) => machine.id === id)
    if (found === undefined) throw new RangeError(`there is no machine ${id} in this world`)
    return found
  }

  device(id: string): Device {
    const found = this.devices.get(id)
    if (found === undefined) throw new RangeError(`there is no device ${id} in this world`)
    return found
  }

  /** The thing behind a resource, as the machine's own config names it. */
  thingOf(machine: Machine, resource: ResourceId): string {
    const { config } = machine.daemon ?? machine
    const found = config.resources.find(({ id }) => id === resource)
    if (found === undefined) throw new RangeError(`${machine.id} knows no resource ${resource}`)
    return found.thing
  }

  ledgerOf(machine: Machine): Ledger | undefined {
    return machine.daemon?.mind.ledger
  }
}

function makeMachine(id: NodeId, nodeid: number, site: Site): Machine {
  return {
    id,
    nodeid,
    hardware: `hw-${id}`,
    protocol: 1,
    config: site.config,
    wall: true,
    switchedOn: false,
    powered: false,
    history: [],
    boot: 0,
    up: false,
    clockZeroMs: 0,
    frozen: { corosync: 0, daemon: 0, scripts: 0 },
    thawedMs: 0,
    waiting: { corosync: [], scripts: [] },
    corosync: undefined,
    ringSeq: 0,
    daemon: undefined,
    lives: 0,
    starting: false,
    resting: false,
    disk: { ledger: undefined, full: false, slow: false, hangs: false, writes: [] },
    things: new Map(),
    stuck: new Set(),
    operations: new Set(),
    dog: undefined,
  }
}
