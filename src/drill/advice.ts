/**
 * What to change in a configuration so that more of its failures end well. Each piece of advice
 * follows from a life that did not end well, or took long, and from what the configuration says of
 * those who were in it; what did not happen is no reason for advice.
 */
import { targetsOf } from '../core/clones.ts'
import type { NodeConfig, NodeId } from '../core/model.ts'
import { halvesAdvisers } from './advice-halves.ts'
import { boxesOf, boxOf, type Plant } from './plant.ts'
import { servicesOf } from './services.ts'
import { listOf, nodesOf, oneOf, type Row, spanText, typical } from './summary.ts'

export interface Advice {
  /** Where in the configuration, as a dotted path; or another file. */
  readonly place: string
  readonly text: string
}

/** What the core's configuration does not tell any more. */
export interface Written {
  /** `fence.enabled` */
  readonly enabled: boolean
  /** `fence.verify` */
  readonly verify: boolean
}

export type Adviser = (plant: Plant, rows: readonly Row[], written: Written) => readonly Advice[]

/** From what helps most. */
export function advise(plant: Plant, rows: readonly Row[], written: Written): readonly Advice[] {
  return advisers.flatMap((adviser) => adviser(plant, rows, written))
}

/** A token of this length is what docs/operating.md writes into corosync.conf. */
const USUAL_TOKEN_MS = 1_000
/** So much longer may a failover take through the second level before it is worth a sentence. */
const SLOW_LEVEL_MS = 8_000
/** A device needs some seconds to answer. */
const SHORT_BOUND_MS = 3_000
const SLOW_STOP_MS = 120_000

const advisers: readonly Adviser[] = [
  ours,
  nowhere,
  ...halvesAdvisers,
  withoutFencing,
  withoutDevice,
  oneHost,
  liars,
  sameCurrent,
  oneLevel,
  oneBox,
  oneNode,
  noRoom,
  slowToken,
  delays,
  slowLevels,
  slowStops,
]

/** A promise that breaks without a device that lies is nobody's configuration. */
function ours(_: Plant, rows: readonly Row[]): readonly Advice[] {
  return broken(rows)
    .filter(({ failure }) => failure !== 'lying-device')
    .slice(0, 1)
    .map(({ failure, victim, outcomes }) => ({
      place: 'picket',
      text:
        'no configuration may break a promise like that: please report it, with what ' +
        `\`picket simulate ${failure} --node ${victim.node} --seed ${outcomes[0]?.seed}\` prints`,
    }))
}

function nowhere(_: Plant, rows: readonly Row[]): readonly Advice[] {
  const all = rows.flatMap(({ outcomes }) => outcomes.flatMap(({ never }) => never))
  const once = new Map(all.map(({ resource, because }) => [resource, because]))
  return [...once].map(([resource, because]) => ({
    place: `resources[${resource}]`,
    text: `${resource} runs nowhere even while all is well: ${because}`,
  }))
}

function withoutFencing(_: Plant, rows: readonly Row[], written: Written): readonly Advice[] {
  const lost = [...waiting(rows), ...rows.filter(({ verdict }) => verdict === 'down')]
  if (written.enabled || lost.length === 0) return []
  const text = 'no node is ever proven dead, so that nothing is taken over: set it to true'
  return [{ place: 'fence.enabled', text }]
}

function withoutDevice(plant: Plant, rows: readonly Row[], written: Written): readonly Advice[] {
  if (!written.enabled) return []
  const nodes = nodesOf(waiting(rows)).filter((id) => levelsOf(plant, id).length === 0)
  if (nodes.length === 0) return []
  const [have, their] = nodes.length === 1 ? ['has', 'it holds'] : ['have', 'they hold']
  return [
    {
      place: fencePlace(nodes),
      text:
        `${listOf(nodes)} ${have} no fence device; whenever lost, what ${their} waits for a ` +
        'person: give a driver and its address here (a level that stands in the secrets file ' +
        'alone is not seen by the simulation)',
    },
  ]
}

/** Guests of one host are lost together. */
function oneHost({ config }: Plant, rows: readonly Row[]): readonly Advice[] {
  const lost = rows.filter((row) => row.failure === 'power-loss' && isDown(row))
  const seen = new Set<string>()
  return lost.flatMap(({ victim: { node, others = [] } }): Advice[] => {
    const all = [node, ...others].sort()
    if (2 * all.length < config.nodes.length || others.length === 0) return []
    if (seen.has(all.join())) return []
    seen.add(all.join())
    return [
      {
        place: 'cluster.nodes',
        text:
          `${listOf(all)} stand on one host: when that loses its current, no majority is left. ` +
          'Spread the nodes over three hosts or more',
      },
    ]
  })
}

function liars(plant: Plant, rows: readonly Row[], { verify }: Written): readonly Advice[] {
  const believed = nodesOf(broken(rows).filter(({ failure }) => failure === 'lying-device'))
  const unheard = believed.filter((id) => nodeOf(plant, id)?.addresses.length === 0)
  const unasked = believed.filter((id) => !unheard.includes(id))
  const why = (nodes: readonly NodeId[]) =>
    `a device of ${listOf(nodes)} that says off and lies is believed, and its services may run ` +
    'twice'
  return [
    ...(unheard.length === 0
      ? []
      : [
          {
            place: `cluster.nodes[${unheard.join(', ')}].addresses`,
            text: `${why(unheard)}: list addresses, and a node that answers is not believed dead`,
          },
        ]),
    ...(unasked.length === 0
      ? []
      : [
          {
            place: verify ? fencePlace(unasked) : 'fence.verify',
            text: verify
              ? `${why(unasked)}: end the level with the word verify`
              : `${why(unasked)}: set it to true, and a node that answers is not believed dead`,
          },
        ]),
  ]
}

/** Every way to prove it dead dies with it. */
function sameCurrent(plant: Plant, rows: readonly Row[]): readonly Advice[] {
  const nodes = nodesOf(waiting(rows, 'power-loss')).filter((id) => {
    const levels = levelsOf(plant, id)
    const fated = levels.filter(({ devices }) => devices.some((each) => plant.fated.has(each)))
    return levels.length > 0 && fated.length === levels.length
  })
  if (nodes.length === 0) return []
  const drivers = nodes.flatMap((id) => levelsOf(plant, id).flatMap(({ devices }) => devices))
  const names = [...new Set(drivers.flatMap((id) => plant.drivers.get(id) ?? []))]
  return [
    {
      place: fencePlace(nodes),
      text:
        `when ${oneOf(nodes)} loses its current, so does all that could prove it dead ` +
        `(${listOf(names)}), and its services wait for a person: add a level that has another ` +
        'current, such as the power strip that it hangs on',
    },
  ]
}

function oneLevel(plant: Plant, rows: readonly Row[]): readonly Advice[] {
  const lost = waiting(rows, 'fence-api-down')
  const nodes = nodesOf(lost).filter((id) => levelsOf(plant, id).length === 1)
  if (nodes.length === 0) return []
  const names = [...new Set(nodes.flatMap((id) => boxesOf(plant, id).map(({ name }) => name)))]
  const single = nodes.length === 1
  const when = names.length === 1 ? `${names[0]} is down` : 'the box behind it is down'
  const which = names.length === 1 ? '' : ` (${listOf(names)})`
  return [
    {
      place: fencePlace(nodes),
      text:
        `${listOf(nodes)} ${single ? 'has' : 'have'} one level only; when ${when}${which}, ` +
        `${single ? 'its' : 'their'} services wait for a person: add a level behind another box`,
    },
  ]
}

/** More than one level, and all of them behind the box that is down. */
function oneBox(plant: Plant, rows: readonly Row[]): readonly Advice[] {
  const nodes = nodesOf(waiting(rows, 'fence-api-down')).filter((id) => {
    const levels = levelsOf(plant, id)
    const boxes = levels.map(({ devices }) => devices.map((each) => boxOf(plant.boxes, each)))
    const [first = []] = boxes
    const shared = first.find((box) => box && boxes.every((each) => each.includes(box)))
    return levels.length > 1 && shared !== undefined
  })
  return [...Map.groupBy(nodes, (id) => boxesOf(plant, id)[0]?.name ?? '')].map(([name, own]) => ({
    place: fencePlace(own),
    text:
      `all levels of ${listOf(own)} stand behind one box; when ${name} is down, none of them is ` +
      'left: put one of them behind another box',
  }))
}

function oneNode({ config }: Plant, rows: readonly Row[]): readonly Advice[] {
  const stays = new Set(rows.flatMap(stayingIn))
  const bound = servicesOf(config.resources).filter(({ id, nodes }) => {
    return nodes.length === 1 && stays.has(id)
  })
  return bound.map(({ id, nodes: [node = ''] }) => ({
    place: `resources[${id}].nodes`,
    text: `${id} may run on ${node} alone and stays down with it: name another node`,
  }))
}

/** It has other nodes that are well, and is down all the same. */
function noRoom({ config }: Plant, rows: readonly Row[]): readonly Advice[] {
  if (config.nodes.length === 2) return []
  const known = servicesOf(config.resources)
  const lost = rows.filter(({ failure, verdict }) => failure === 'crash' && verdict === 'down')
  const seen = new Map<string, string>()
  for (const { victim, outcomes } of lost) {
    for (const { id, home, because } of outcomes.at(-1)?.services ?? []) {
      const service = known.find((each) => each.id === id)
      if (home !== undefined || (service?.nodes.length ?? 0) < 2 || seen.has(id)) continue
      seen.set(id, `when ${victim.node} dies, ${id} finds no other node: ${because}`)
    }
  }
  return [...seen].map(([id, text]) => ({ place: `resources[${id}]`, text }))
}

function slowToken({ tokenMs }: Plant, rows: readonly Row[]): readonly Advice[] {
  const { detectedMs, downMs } = typical(rows)
  if (tokenMs <= USUAL_TOKEN_MS || detectedMs === undefined || downMs === undefined) return []
  if (2 * detectedMs < downMs) return []
  return [
    {
      place: 'corosync.conf: totem.token',
      text:
        `of the ${spanText(downMs)} that a crash takes, ${spanText(detectedMs)} pass before ` +
        `Corosync gives the node up: ${USUAL_TOKEN_MS} is enough in most networks`,
    },
  ]
}

function delays({ config: { rules } }: Plant, rows: readonly Row[]): readonly Advice[] {
  const { downMs } = typical(rows)
  const waits = [
    ['delay_seconds', rules.delayMs],
    ['delay_random_seconds', rules.randomDelayMs],
    ['reprieve_seconds', rules.reprieveMs],
    ['kdump.first_seconds', rules.dumps?.firstMs ?? 0],
  ] as const
  return waits.flatMap(([name, spanMs]) => {
    if (downMs === undefined || spanMs < downMs / 4) return []
    const text = `up to ${spanText(spanMs)} of the ${spanText(downMs)} that a crash takes are this`
    return [{ place: `fence.${name}`, text: `${text} wait: is it worth it?` }]
  })
}

/** The second level does it, but the first one is waited for. */
function slowLevels(plant: Plant, rows: readonly Row[]): readonly Advice[] {
  const { downMs } = typical(rows)
  const back = rows.filter(({ failure, verdict }) => {
    return failure === 'fence-api-down' && verdict === 'back'
  })
  const slow = back.filter(({ downMs: own }) => {
    return own !== undefined && downMs !== undefined && own.medianMs - downMs > SLOW_LEVEL_MS
  })
  const worstMs = Math.max(0, ...slow.map((row) => row.downMs?.medianMs ?? 0))
  const ids = slow.flatMap(({ victim }) => victim.box?.devices ?? [])
  const devices = plant.config.devices.filter(({ id, timeoutMs }) => {
    return ids.includes(id) && timeoutMs > SHORT_BOUND_MS
  })
  const names = [...new Set(devices.flatMap(({ id }) => plant.drivers.get(id) ?? []))]
  if (downMs === undefined || names.length === 0) return []
  const boundMs = Math.max(...devices.map(({ timeoutMs }) => timeoutMs))
  return [
    {
      place: names.map((name) => `fence.drivers.${name}.timeout_seconds`).join(', '),
      text:
        `a box that answers nobody is waited for before the next level is tried: ` +
        `${spanText(worstMs)} instead of ${spanText(downMs)}. Less than ${spanText(boundMs)} ` +
        'makes that shorter, where the box always answers within it',
    },
  ]
}

function slowStops({ config }: Plant, rows: readonly Row[]): readonly Advice[] {
  const slow = rows.filter(({ failure }) => failure === 'slow-stop')
  return slow.flatMap(({ victim: { resource = '' }, provenMs }): Advice[] => {
    if (provenMs === undefined || provenMs.medianMs < SLOW_STOP_MS) return []
    const [own] = targetsOf(config.resources, resource)
    const bound = `${config.timing.stopAttemptsMax} × ${spanText(own?.stopMs ?? 0)}`
    return [
      {
        place: `resources[${resource}].timeouts.stop_seconds`,
        text:
          `a stop of ${resource} that hangs is tried ${bound} before its node is fenced: ` +
          `${spanText(provenMs.medianMs)} in which it can move nowhere`,
      },
    ]
  })
}

function isDown({ verdict }: Row): boolean {
  return verdict === 'person' || verdict === 'down'
}

function broken(rows: readonly Row[]): readonly Row[] {
  return rows.filter(({ verdict }) => verdict === 'broken')
}

/** For a person who proves a node dead; what has failed and was stopped waits for another one. */
function waiting(rows: readonly Row[], failure?: string): readonly Row[] {
  const lost = rows.filter(({ verdict, outcomes }) => {
    return verdict === 'person' && outcomes.some(({ unproven }) => unproven.length > 0)
  })
  return failure === undefined ? lost : lost.filter((row) => row.failure === failure)
}

/** What is down at the end for want of a node, and not because the cluster has stopped it. */
function stayingIn({ outcomes }: Row): readonly string[] {
  return outcomes.flatMap(({ services, stopped }) => {
    const ids = services.flatMap(({ id, home }) => (home === undefined ? [id] : []))
    return ids.filter((id) => stopped.every(({ resource }) => resource !== id))
  })
}

function nodeOf({ config }: Plant, node: NodeId): NodeConfig | undefined {
  return config.nodes.find(({ id }) => id === node)
}

function levelsOf(plant: Plant, node: NodeId): NodeConfig['levels'] {
  return nodeOf(plant, node)?.levels ?? []
}

function fencePlace(nodes: readonly NodeId[]): string {
  return `cluster.nodes[${nodes.join(', ')}].fence`
}
