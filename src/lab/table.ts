/** The state of a lab as a small table: one row per node, readable without colour. */
import type { LinkState } from './network.ts'
import type { LabStatus, NodeStatus } from './status.ts'

const head = [
  ...['node', 'power', 'link 0', 'link 1', 'mgmt', 'BMC 1', 'BMC 2'],
  ...['corosync', 'quorum', 'members', 'ring', 'daemon'],
]

/** The lines of the table. */
export function statusTable({ nodes }: LabStatus): readonly string[] {
  const rows = [head, ...nodes.map(row)]
  const widths = head.map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)))
  return rows.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}

function row(node: NodeStatus): string[] {
  const { name, power, frozen, links, bmcs, corosync, quorum, daemon } = node
  const isOn = power === 'on'
  return [
    name,
    frozen ? 'frozen' : power,
    ...links.map((link) => (isOn ? linkWord(link) : '-')),
    ...bmcs.map((bmc) => (bmc.mode === 'slow' ? `slow ${bmc.ms / 1000} s` : bmc.mode)),
    isOn ? (corosync ? 'up' : 'down') : '-',
    quorum === undefined ? '-' : quorum.quorate ? 'yes' : 'no',
    quorum?.members.join(',') ?? '-',
    quorum?.ringId ?? '-',
    daemon === undefined || !isOn ? '-' : daemon.pid === undefined ? 'down' : `pid ${daemon.pid}`,
  ]
}

function linkWord({ up, deaf }: LinkState): string {
  if (!up) return 'cut'
  return deaf ? 'deaf' : 'up'
}
