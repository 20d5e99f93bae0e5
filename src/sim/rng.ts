/**
 * A small seeded generator (mulberry32); the simulator draws from nothing else. Every concern has a
 * stream of its own, so that one more draw in one place does not reshuffle all the others.
 */

export interface Rng {
  /** A float in [0, 1). */
  next(): number
  /** An integer in [min, max], both ends included. */
  int(min: number, max: number): number
  /** True `percent` times out of a hundred. Costs no draw when it is 0. */
  chance(percent: number): boolean
  pick<T>(items: readonly T[]): T
  /** The same items in a random order. */
  shuffle<T>(items: readonly T[]): T[]
}

/** A generator of its own for each pair of seed and name. */
export function rng(seed: number, name = ''): Rng {
  let state = hash(name, seed)
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  return {
    next,
    int: (min, max) => min + Math.floor(next() * (max - min + 1)),
    chance: (percent) => percent > 0 && next() * 100 < percent,
    pick: (items) => items[Math.floor(next() * items.length)]!,
    shuffle: (items) => {
      const out = [...items]
      for (let i = out.length - 1; i > 0; i--) {
        const j = Math.floor(next() * (i + 1))
        const other = out[i]!
        out[i] = out[j]!
        out[j] = other
      }
      return out
    },
  }
}

/** No dice at all: every delay is the shortest, and only what is certain happens. For scenarios. */
export const steady: Rng = {
  next: () => 0,
  int: (min) => min,
  chance: (percent) => percent >= 100,
  pick: (items) => items[0]!,
  shuffle: (items) => [...items],
}

const concerns = [
  'swarm',
  'fate',
  'machine',
  'daemon',
  'ring',
  'cpg',
  'device',
  'disk',
  'resource',
  'operator',
  'check',
] as const

/** One stream for each concern of the world. */
export type Lots = Readonly<Record<(typeof concerns)[number], Rng>>

/** The streams of one life. */
export function lotsOf(seed: number): Lots {
  const entries = concerns.map((concern) => [concern, rng(seed, concern)] as const)
  return Object.fromEntries(entries) as Lots
}

/** The streams of a scenario: no dice anywhere. */
export const steadyLots: Lots = Object.fromEntries(
  concerns.map((concern) => [concern, steady]),
) as Lots

/** FNV-1a over the name, stirred with the seed. */
function hash(name: string, seed: number): number {
  let h = (2_166_136_261 ^ Math.imul(seed, 2_654_435_761)) >>> 0
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 16_777_619) >>> 0
  h = Math.imul(h ^ (h >>> 16), 2_246_822_507) >>> 0
  return (h ^ (h >>> 13)) >>> 0
}
