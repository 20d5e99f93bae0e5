/**
 * What goes wrong in a soak, and when: drawn from a seed and the number of the round, so that one
 * round can be played again without those before it. Pure; what a fault does stands in deeds.ts.
 */
import { type Rng, rng } from '../sim/rng.ts'

/** What a fault may do, how often it is drawn, how long it lasts, and how much of it there is. */
interface Kind {
  readonly weight: number
  readonly about: string
  readonly seconds: readonly [least: number, most: number]
  /** Percent, milliseconds, kbit/s, or which BMC (3: both). */
  readonly amount?: readonly [least: number, most: number]
}

const moment = [0.1, 1] as const
const while_ = [0.3, 12] as const
const bmc = [1, 3] as const

export const kinds = {
  'daemon-killed': { weight: 4, about: 'picketd dies at once', seconds: moment },
  'daemon-stopped': { weight: 2, about: 'picketd is told to leave', seconds: moment },
  'daemon-frozen': { weight: 4, about: 'picketd gets no time', seconds: while_ },
  'corosync-killed': { weight: 3, about: 'Corosync dies at once', seconds: moment },
  'corosync-frozen': { weight: 3, about: 'Corosync gets no time', seconds: [0.1, 5] },
  'node-frozen': { weight: 5, about: 'the whole node gets no time', seconds: [0.2, 12] },
  'service-killed': { weight: 2, about: 'the service dies', seconds: moment },
  'address-lost': { weight: 1, about: 'somebody takes the address away', seconds: moment },
  cut: { weight: 5, about: 'both cluster links are cut', seconds: [0.2, 12] },
  'link-cut': { weight: 2, about: 'one cluster link is cut', seconds: while_, amount: [0, 1] },
  deaf: { weight: 3, about: 'it hears nothing and still speaks', seconds: while_ },
  loss: { weight: 3, about: 'it loses a share of what it hears', seconds: while_, amount: [5, 70] },
  slow: { weight: 2, about: 'what it says is late', seconds: while_, amount: [40, 400] },
  'bmc-hangs': { weight: 4, about: 'BMCs do not answer', seconds: [1, 15], amount: bmc },
  'bmc-ignores': { weight: 2, about: 'BMCs accept and do nothing', seconds: [1, 15], amount: bmc },
  'bmc-slow': { weight: 3, about: 'BMCs do it later', seconds: [1, 15], amount: [500, 6_000] },
  'bmc-lies': { weight: 3, about: 'BMCs say off and do nothing', seconds: [1, 15], amount: bmc },
  'disk-full': { weight: 3, about: 'its disk takes nothing more', seconds: [1, 15] },
  'power-lost': { weight: 4, about: 'it loses its power', seconds: moment },
  reboot: { weight: 3, about: 'it loses its power and has it again', seconds: [0.3, 8] },
  'bmc-reset': { weight: 2, about: 'somebody resets it through its BMC', seconds: moment },
  'bmc-off': { weight: 2, about: 'somebody switches it off through its BMC', seconds: moment },
  standby: { weight: 2, about: 'an operator wants nothing on it', seconds: while_ },
  move: { weight: 3, about: 'an operator wants the address on it', seconds: while_ },
  ban: { weight: 1, about: 'an operator wants the address off it', seconds: while_ },
  disable: { weight: 1, about: 'an operator wants no service', seconds: [0.5, 6] },
  'fence-reboot': { weight: 2, about: 'an operator has it fenced', seconds: moment },
  'fence-off': { weight: 1, about: 'an operator switches it off, and on again', seconds: while_ },
} as const satisfies Readonly<Record<string, Kind>>

export type FaultKind = keyof typeof kinds

/** Whom it hits: known only when it begins, but for a node by its number. */
export type Role = 'active' | 'coordinator' | number

export interface Fault {
  readonly kind: FaultKind
  readonly whom: Role
  /** From the beginning of the round. */
  readonly atMs: number
  readonly forMs: number
  readonly amount: number
}

const names = Object.keys(kinds) as readonly FaultKind[]
const tickets = names.flatMap((kind) => Array<FaultKind>(kinds[kind].weight).fill(kind))

/** The faults of one round: one, two or three, which may overlap. */
export function planRound(seed: number, round: number, nodes: number): readonly Fault[] {
  const dice = rng(seed, `soak ${round}`)
  const lot = dice.int(1, 20)
  const count = lot <= 8 ? 1 : lot <= 16 ? 2 : 3
  return Array.from({ length: count }, (_, at) => drawFault(dice, at === 0 ? 0 : 5_000, nodes))
}

function drawFault(dice: Rng, latestMs: number, nodes: number): Fault {
  const kind = dice.pick(tickets)
  const { seconds, amount = [0, 0] }: Kind = kinds[kind]
  const whom = dice.pick<Role>(['active', 'active', 'coordinator', dice.int(1, nodes)])
  return {
    kind,
    whom,
    atMs: dice.int(0, latestMs),
    forMs: dice.int(seconds[0] * 1_000, seconds[1] * 1_000),
    amount: dice.int(...amount),
  }
}

/** One fault as people read it, e.g. `loss 30 of the active node for 2.5 s`. */
export function faultText({ kind, whom, atMs, forMs, amount }: Fault): string {
  const node = typeof whom === 'number' ? `node${whom}` : `the ${whom} node`
  const much = amount === 0 ? '' : ` ${amount}`
  const after = atMs === 0 ? '' : ` after ${(atMs / 1_000).toFixed(1)} s`
  return `${kind}${much} of ${node}${after} for ${(forMs / 1_000).toFixed(1)} s`
}
