/**
 * What health checks are about: the gateway behind a node, the web server on it. Each is good until
 * something turns it bad, on one machine or on all, for a while, for good, or on and off. An answer
 * is what is so at that moment, or comes too late to be one.
 */
import type { Effect } from '../core/effect.ts'
import type { CheckConfig, CheckId, Config, ResourceConfig } from '../core/model.ts'
import { type Daemon, tell } from './daemons.ts'
import { judge } from './invariants.ts'
import { later } from './machines.ts'
import type { Rng } from './rng.ts'
import type { Machine, Site, World } from './world.ts'

/** What is bad, by `machine/check`, and since when. */
export type Ailments = Map<string, number>

/** Asks, and tells what is found; whoever hangs is killed at the bound and has failed. */
export function check(
  world: World,
  daemon: Daemon,
  { id, check: name, resource, timeoutMs }: Extract<Effect, { do: 'check' }>,
): void {
  const { machine } = daemon
  const lot = world.lots.check
  const hangs = lot.chance(world.faults.checkHangsPercent)
  const usualMs = hangs ? timeoutMs : Math.min(lot.int(5, 300), timeoutMs)
  const tookMs = world.slowChecks.get(`${machine.id}/${name}`) ?? usualMs
  judge(world, 'onCheck', { daemon, check: name, resource, id })
  later(world, machine, 'scripts', tookMs, () => {
    const ok = !hangs && tookMs <= timeoutMs && !isBad(world, machine, name)
    const detail = hangs || tookMs > timeoutMs ? 'it took too long' : ok ? 'answered' : 'no answer'
    tell(world, daemon, { kind: 'checked', id, check: name, ok, detail })
  })
}

export function isBad({ ailments }: World, machine: Machine, check: CheckId): boolean {
  return ailments.has(`${machine.id}/${check}`)
}

/** From now on the answer is another one there. */
export function turn(world: World, machine: Machine, check: CheckId, bad: boolean): void {
  const key = `${machine.id}/${check}`
  if (world.ailments.has(key) === bad) return
  if (bad) world.ailments.set(key, world.nowMs)
  else world.ailments.delete(key)
  world.say(`${machine.id} ${check} ${bad ? 'turns bad' : 'is good again'}`)
}

/** One tick of fate: a check turns bad somewhere or everywhere, for a while, or on and off. */
export function sicken(world: World): void {
  const { checks } = world.site.config
  const lot = world.lots.check
  if (checks.length === 0 || !lot.chance(world.faults.checkBadPercent)) return
  const { id } = lot.pick(checks)
  const machines = lot.chance(25) ? world.machines : [lot.pick(world.machines)]
  const forMs = lot.int(2_000, 40_000)
  const gapMs = lot.chance(35) ? lot.int(700, 4_000) : forMs
  let bad = true
  const flap = (leftMs: number): void => {
    for (const machine of machines) turn(world, machine, id, bad)
    bad = !bad
    if (leftMs > 0) world.after(gapMs, () => flap(leftMs - gapMs))
  }
  flap(forMs)
  world.after(forMs + gapMs, () => {
    for (const machine of machines) turn(world, machine, id, false)
  })
}

/** Everything is as it should be. */
export function heal({ ailments }: World): void {
  ailments.clear()
}

/** The same site with checks: of nodes for some of its resources, of what runs for others. */
export function withChecks(site: Site, lot: Rng): Site {
  const { config } = site
  const checkOf = (id: CheckId): CheckConfig => {
    const timeoutMs = lot.int(500, 2_000)
    return { id, everyMs: lot.int(700, 3_000), timeoutMs, rise: lot.int(1, 3), fall: lot.int(1, 3) }
  }
  const checks = ['gateway', 'answers'].map(checkOf)
  const resources = config.resources.map((resource, index): ResourceConfig => {
    const onlyWhere = index === 0 || lot.chance(30) ? ['gateway'] : []
    return { ...resource, onlyWhere, health: lot.chance(50) ? ['answers'] : [] }
  })
  return { ...site, config: { ...config, checks, resources } }
}

/** How long the checks of a config may take to tell that something is well again, at worst. */
export function recoveryMs({ checks }: Config): number {
  const spans = checks.map(({ everyMs, timeoutMs, rise, fall }) => {
    return (16 * rise + fall) * (everyMs + timeoutMs)
  })
  return Math.max(0, ...spans)
}
