/** What to change in a configuration of two nodes, each of which may decide without the other. */
import { priorityDelayMsOf } from '../core/halves.ts'
import type { Advice, Adviser } from './advice.ts'
import type { Plant } from './plant.ts'
import { nodesOf, oneOf, type Row, spanText, typical } from './summary.ts'

/** Of two nodes one always waits before it fences the other, so that not both die (S18). */
function twoNodes({ config }: Plant, rows: readonly Row[]): readonly Advice[] {
  const { downMs } = typical(rows)
  const waitMs = priorityDelayMsOf(config)
  if (config.nodes.length !== 2 || downMs === undefined || downMs < waitMs) return []
  const text =
    `${spanText(waitMs)} of the ${spanText(downMs)} that a crash takes are the wait of the node ` +
    'that ran less, lest both fence each other; with a third node, which may be a small one that ' +
    'runs nothing, nobody has to wait'
  return [{ place: 'cluster.nodes', text }]
}

/** Cut off from the other one, the one that matters more fences it, and clients reach neither. */
function cutHalf({ config }: Plant, rows: readonly Row[]): readonly Advice[] {
  if (!config.halves) return []
  const lost = rows.filter(({ failure, verdict }) => failure === 'cut' && verdict === 'down')
  const nodes = nodesOf(lost.filter(({ provenMs }) => provenMs === undefined))
  if (nodes.length === 0) return []
  const text =
    `when ${oneOf(nodes)} is active and loses its network, it fences the healthy one and stays ` +
    'cut off: neither can tell which of the two clients reach. A quorum device ' +
    '(corosync-qdevice) that is reached the way the clients are decides for the one that they ' +
    'can reach; so does a third node'
  return [{ place: 'corosync.conf: quorum.device', text }]
}

/** A half that has never seen the other one is given no quorum (`wait_for_all`). */
function aloneAfterOutage({ config }: Plant, rows: readonly Row[]): readonly Advice[] {
  const lost = rows.filter(({ failure, verdict }) => {
    return failure === 'power-outage' && verdict === 'down'
  })
  if (!config.halves || lost.length === 0) return []
  const text =
    'when both nodes lose their current and one never has it back, the other one waits for it ' +
    '(wait_for_all) until a person has pulled its plug and gives ' +
    '`corosync-cmapctl -s quorum.cancel_wait_for_all u8 1`; with a third node two go on'
  return [{ place: 'cluster.nodes', text }]
}

export const halvesAdvisers: readonly Adviser[] = [twoNodes, cutHalf, aloneAfterOutage]
