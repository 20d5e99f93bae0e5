/** What an operator should know before a maintenance begins, beside what moves: in sentences. */

import { holdersOf } from './clones.ts'
import { leastOf } from './halves.ts'
import type { IntentOrder } from './intents.ts'
import type { NodeId } from './model.ts'
import type { State } from './state.ts'

/** Empty for every order that does not begin a maintenance. Changes nothing. */
export function cautionsOf(state: State, order: IntentOrder): readonly string[] {
  if (order.action !== 'maintain') return []
  const { resource, node } = order
  if (resource !== '') {
    return [`${resource} is left alone: nobody starts, restarts, moves or stops it.`]
  }
  if (node === '') {
    return [
      'Everything is left alone, also without quorum: nothing is started, restarted, moved or ' +
        'stopped.',
      'Nobody is fenced: what runs on a node that dies runs nowhere before the maintenance is ' +
        'over, or somebody orders that node off.',
    ]
  }
  return [...ofNode(state, node), quorumText(state, node)]
}

function ofNode(state: State, node: NodeId): readonly string[] {
  const held = state.config.resources.filter((each) => holdersOf(state, each).includes(node))
  const names = held.map(({ id }) => id).join(', ')
  if (names === '') return [`Nothing runs on ${node}. It is not fenced, whatever becomes of it.`]
  return [
    `${names} on ${node} ${held.length > 1 ? 'are' : 'is'} left alone, also without quorum.`,
    `${node} is not fenced: when it goes down, ${names} run nowhere before it is back or ordered ` +
      `off. To let them run elsewhere meanwhile: picket maintenance on ${node} --drain.`,
  ]
}

/** What is left of the quorum when this node goes down (H13). */
export function quorumText({ config, group }: State, node: NodeId): string {
  const others = (group?.ringMembers ?? []).filter((id) => id !== node).length
  const spare = others - leastOf(config)
  const [left, all] = [others, config.nodes.length]
  const then = `Without ${node}, ${left} of ${all} nodes are in the ring`
  if (spare < 0) return `${then}, fewer than the ${leastOf(config)} needed: everything stops.`
  if (spare === 0) return `${then}, just enough: one more failure stops the cluster.`
  return `${then}: ${spare} more may fail before the cluster stops.`
}
