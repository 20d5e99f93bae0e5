/** What a person can do about the cluster as it is: the last part of `picket status`. */
import { entryOf } from './ledger.ts'
import { whySpared } from './maintenance.ts'
import type { NodeId } from './model.ts'
import { recoveryAdvice } from './recovery.ts'
import type { State } from './state.ts'
import type { NodeStatus } from './status.ts'

/** What a person can do, in sentences; empty while there is nothing to do. */
export function adviceOf(state: State, nodes: readonly NodeStatus[]): readonly string[] {
  const advice: string[] = [...recoveryAdvice(state)]
  for (const node of nodes) {
    const blocked = node.standing === 'lost' || node.standing === 'condemned'
    if (blocked && whySpared(state.ledger, node.id) !== '') {
      advice.push(
        `${node.id} is in maintenance, so nobody fences it and what it may hold waits: bring it ` +
          `back, end the maintenance, or picket fence off ${node.id}`,
      )
    } else if (blocked && !state.config.nodes.some(({ id }) => id === node.id)) {
      if (node.holds.length === 0) continue
      advice.push(
        `${node.id} stands in the config no more, and what it may hold waits: put it back until ` +
          'it is proven off, confirmed, or a member again',
      )
    } else if (blocked && node.devices.length === 0) {
      advice.push(
        `${node.id} has no fence device: switch it off by hand, then picket confirm ${node.id}`,
      )
    } else if (blocked && node.fencing !== undefined && failed(state, node.id)) {
      advice.push(
        `${node.id} cannot be proven off: check its devices (picket fence check ${node.id}), ` +
          `or cut its power by hand, see that it is off, then picket confirm ${node.id}`,
      )
    }
    for (const thing of node.holds.filter((each) => isStrange(state, each))) {
      advice.push(
        `${node.id} was given ${thing}, which the config does not know any more: ` +
          'stop it there and reboot that node',
      )
    }
    const dead = state.ledger.recovery?.nodes.includes(node.id) === true
    if (node.standing === 'fenced' && !dead && !node.barred && node.fencing === undefined) {
      advice.push(
        `${node.id} is fenced: see why it died, and if it is off, picket fence on ${node.id}`,
      )
    }
    if (node.quarantined && node.standing === 'member') {
      advice.push(
        `${node.id} was fenced and takes nothing: see why it died, then picket unfence ${node.id}`,
      )
    }
    if (node.barred && !blocked) {
      advice.push(`${node.id} was switched off by an operator: picket fence on ${node.id}`)
    }
    for (const device of node.devices) {
      if (device.ok === false) advice.push(`${device.id} could not fence now: ${device.detail}`)
    }
  }
  for (const [id, { passive, durable }] of Object.entries(state.session?.reports ?? {})) {
    if (!durable)
      advice.push(
        `the disk of ${id} takes nothing: look at /var/lib/picket there, its space and its disk`,
      )
    if (passive && id !== state.self) {
      advice.push(`${id} only looks on after too many crashes: read its log, then restart picketd`)
    }
  }
  if (state.passive !== '') advice.push(`this daemon only looks on: ${state.passive}`)
  return advice
}

/** Given to a node under an older config (S16). */
function isStrange({ config }: State, thing: string): boolean {
  return thing !== 'anything' && !config.resources.some((resource) => resource.thing === thing)
}

function failed(state: State, id: NodeId): boolean {
  return (entryOf(state.ledger, id).fencing?.last ?? '') !== ''
}
