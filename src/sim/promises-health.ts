/** H4: what health checks may do, and what they may not. */
import { targetsOf } from '../core/clones.ts'
import type { Health } from '../core/health.ts'
import { isLeftAlone } from '../core/maintenance.ts'
import type { State } from '../core/state.ts'
import { isBad } from './checks.ts'
import { isReal } from './core.ts'
import { decidingRing } from './deciding.ts'
import type { Invariant, Moments } from './invariants.ts'
import { askedOf } from './witness-health.ts'
import type { Machine, World } from './world.ts'

/** How long a cluster that nothing disturbs may take to hear of something and to act. */
const HEARD_MS = 15_000
/** As the core does it: at most so often the good answers that it takes are doubled. */
const DOUBLINGS_MAX = 4

export const healthPromises: readonly Invariant[] = [
  {
    id: 'H4',
    says: 'a check fails after so many bad answers in a row, and never after fewer',
    onChecked: hasty,
  },
  {
    id: 'H4',
    says: 'what keeps failing counts as healthy only after ever more good answers in a row',
    onChecked: credulous,
  },
  {
    id: 'H4',
    says: 'nothing starts on a node where a check that it needs does not succeed',
    onStart: attracted,
  },
  {
    id: 'H4',
    says: 'nothing is ended for a check that fails on all of its nodes',
    onMessage: unfounded,
  },
  {
    id: 'H4',
    says: 'what runs and does not do what it should is not left alone',
    onScan: leftAlone,
  },
]

function hasty(_: World, seen: Moments['onChecked']): string | undefined {
  const { daemon, check, ok } = seen
  if (!changes(seen, 'unknown', 'failing') && !changes(seen, 'healthy', 'failing')) {
    return undefined
  }
  const { fall } = daemon.config.checks.find(({ id }) => id === check)!
  const answers = [...askedOf(daemon, check).answers, ok].slice(-fall)
  if (answers.length === fall && !answers.includes(true)) return undefined
  return `${check} fails on ${daemon.machine.id} after ${textOf(answers)}`
}

function credulous(_: World, seen: Moments['onChecked']): string | undefined {
  const { daemon, check, ok } = seen
  if (!changes(seen, 'failing', 'healthy')) return undefined
  const { rise } = daemon.config.checks.find(({ id }) => id === check)!
  const known = askedOf(daemon, check)
  const needed = rise * 2 ** Math.min(Math.max(0, known.falls - 1), DOUBLINGS_MAX)
  const answers = [...known.answers, ok].slice(-needed)
  if (answers.length === needed && !answers.includes(false)) return undefined
  return `${check} is healthy again on ${daemon.machine.id} after ${textOf(answers)}`
}

function changes(
  { daemon, before, check }: Moments['onChecked'],
  from: Health['verdict'],
  to: Health['verdict'],
): boolean {
  if (!isReal(daemon.mind) || !isReal(before)) return false
  return before.health[check]?.verdict === from && daemon.mind.health[check]?.verdict === to
}

const textOf = (answers: readonly boolean[]) =>
  answers.map((ok) => (ok ? 'good' : 'bad')).join(', ') || 'nothing'

/** Where it has failed a moment ago it is mended all the same, if no other node is well. */
function attracted(
  world: World,
  { daemon, machine, resource: id }: Moments['onStart'],
): string | undefined {
  const { mind } = daemon
  const resource = daemon.config.resources.find((each) => each.id === id)
  if (resource === undefined || resource.onlyWhere.length === 0 || !isReal(mind)) return undefined
  if ((mind.resources[id]?.failures.atMs.length ?? 0) > 0) return undefined
  const unsure = resource.onlyWhere.find((check) => mind.health[check]?.verdict === 'unknown')
  if (unsure !== undefined) return `${machine.id} starts ${id} before ${unsure} has succeeded`
  // What was granted long ago may have waited for others: it is as good as there.
  if (resource.after.length > 0 || !isUndisturbed(world)) return undefined
  if (!longFailing(world, machine, mind, resource.onlyWhere)) return undefined
  return `${machine.id} starts ${id} where ${resource.onlyWhere.join(', ')} fails`
}

/** Has a check of a node failed for so long that the others must have heard of it? */
function longFailing(
  world: World,
  machine: Machine,
  mind: State,
  checks: readonly string[],
): boolean {
  return checks.some((check) => {
    const health = mind.health[check]
    if (health?.verdict !== 'failing') return false
    return world.nowMs - machine.clockZeroMs - health.sinceMs > HEARD_MS
  })
}

function unfounded(world: World, { message }: Moments['onMessage']): string | undefined {
  if (message.say !== 'release' || !message.because.startsWith('the check ')) return undefined
  if (!isUndisturbed(world)) return undefined
  const ring = decidingRing(world)
  const resource = world.site.config.resources.find(({ id }) => id === message.resource)
  if (ring === undefined || resource === undefined) return undefined
  // Another instance takes the place of one that gives it up.
  const { clone, id } = resource
  const all = targetsOf(world.site.config.resources, clone?.id ?? id)
  const nodes = all.flatMap((each) => each.nodes)
  const hopeful = ring.joined.some(({ machine, mind }) => {
    if (machine.id === message.node || !nodes.includes(machine.id)) return false
    return isReal(mind) && !longFailing(world, machine, mind, resource.onlyWhere)
  })
  if (hopeful) return undefined
  return `${message.resource} has to stop on ${message.node}, and no other node is better`
}

function leftAlone(world: World): string | undefined {
  const { config } = world.site
  if (config.checks.length === 0) return undefined
  for (const { id, thing, health } of config.resources) {
    for (const name of health) {
      const { fall, everyMs, timeoutMs } = config.checks.find((each) => each.id === name)!
      const boundMs = (fall + 1) * (everyMs + timeoutMs) + HEARD_MS
      if (world.nowMs - world.witness.disturbedMs < boundMs) continue
      for (const machine of world.machines) {
        const found = machine.things.get(thing)
        const badMs = world.ailments.get(`${machine.id}/${name}`)
        if (found === undefined || found.foreign || badMs === undefined) continue
        if (!isBad(world, machine, name) || !knowsItRuns(machine, id)) continue
        const handsOffMs = noteHandsOff(world, machine, id)
        if (world.nowMs - Math.max(found.sinceMs, badMs, handsOffMs) < boundMs) continue
        return `${id} runs on ${machine.id}, where ${name} has been bad for long`
      }
    }
  }
  return undefined
}

/** Whoever looks for it still, or is stopping it in vain, is another matter. */
function knowsItRuns({ daemon }: Machine, id: string): boolean {
  if (daemon === undefined || !isReal(daemon.mind)) return false
  const local = daemon.mind.resources[id]
  return local?.at === 'running' && local.mustStop === ''
}

/** When it was last left alone on purpose: in maintenance, or by a daemon that makes way. */
function noteHandsOff(
  { nowMs, witness }: World,
  { id: node, daemon }: Machine,
  id: string,
): number {
  const name = `hands off: ${node} ${id}`
  const { mind } = daemon!
  const off = isReal(mind) && (isLeftAlone(mind, id) || mind.detaching !== undefined)
  if (off) witness.standing.set(name, nowMs)
  return witness.standing.get(name) ?? -Infinity
}

function isUndisturbed({ nowMs, witness }: World): boolean {
  return nowMs - witness.disturbedMs > HEARD_MS
}
