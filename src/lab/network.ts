/**
 * The wires of a lab: one network namespace with a bridge per link (the switch), one per node, and
 * a cable between them for every link. Cables are cut at the switch, as on real hardware, so that
 * the node sees its carrier go.
 */
import { existsSync, readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import {
  bmcAddress,
  bmcLevels,
  clusterLinks,
  indexOf,
  isNetnsOf,
  type Lab,
  type Link,
  links,
  nodeDir,
  nodeNetns,
  ownFile,
  switchNetns,
} from './names.ts'
import { must } from './run.ts'

/** Make the switch, the nodes' network namespaces and all cables, which are unplugged at first. */
export async function createNetwork(lab: Lab): Promise<void> {
  const netns = [switchNetns(lab), ...lab.nodes.map((node) => nodeNetns(lab, node))]
  await ip([], ...netns.map((name) => `netns add ${name}`))
  await ip(
    ['-n', switchNetns(lab)],
    'link set lo up',
    ...links.flatMap((link) => [
      // Without an address of its own a bridge takes that of a cable, and changes it with them.
      `link add br${link} address ${mac(link, 254)} type bridge forward_delay 0 stp_state 0`,
      `addr add 10.77.${link}.254/24 dev br${link}`,
      `link set br${link} up`,
    ]),
    ...lab.nodes.flatMap((node) =>
      bmcLevels.map((level) => `addr add ${bmcAddress(lab, node, level)}/32 dev br2`),
    ),
    ...lab.nodes.flatMap((node) => links.flatMap((link) => cable(lab, node, link))),
  )
}

function cable(lab: Lab, node: string, link: Link): string[] {
  const index = indexOf(lab, node)
  const end = `name eth${link} address ${mac(link, index)} netns ${nodeNetns(lab, node)}`
  return [
    `link add n${index}-${link} type veth peer ${end}`,
    `link set n${index}-${link} master br${link}`,
  ]
}

function mac(link: Link, index: number): string {
  return `02:77:00:00:0${link}:${index.toString(16).padStart(2, '0')}`
}

/** The network namespaces that the lab of this name has, found by their names. */
export function networkNames(name: string): string[] {
  const dir = '/run/netns'
  return existsSync(dir) ? readdirSync(dir).filter((netns) => isNetnsOf(name, netns)) : []
}

/** Remove network namespaces; their cables and bridges go with them. */
export async function removeNetwork(netns: readonly string[]): Promise<void> {
  if (netns.length > 0) await ip([], ...netns.map((name) => `netns del ${name}`))
}

export interface Cut {
  /** Only this link; both cluster links where it is not said. */
  readonly link?: 0 | 1 | undefined
  /** The node hears nothing any more and can still speak. */
  readonly oneWay?: boolean | undefined
}

/** Cut a node off on its cluster links; the management link stays. Lasts until `heal`. */
export async function cut(lab: Lab, node: string, { link, oneWay }: Cut = {}): Promise<void> {
  const which = link === undefined ? clusterLinks : [link]
  // The marks are what a machine that boots meanwhile goes by.
  const kind = oneWay ? 'deaf' : 'cut'
  for (const each of which) await writeFile(path.join(nodeDir(lab, node), `${kind}-${each}`), '')
  if (oneWay) await firewall(lab, node)
  else await unplug(lab, node, which)
}

/** Undo every cut of a node. The links of a node without power stay down. */
export async function heal(lab: Lab, node: string): Promise<void> {
  await must(['sh', ownFile('machine.sh'), nodeDir(lab, node), 'heal'], { timeoutMs: 45_000 })
}

async function firewall(lab: Lab, node: string): Promise<void> {
  await must(['sh', ownFile('machine.sh'), nodeDir(lab, node), 'firewall'])
}

async function unplug(lab: Lab, node: string, which: readonly Link[]): Promise<void> {
  const index = indexOf(lab, node)
  await ip(['-n', switchNetns(lab)], ...which.map((link) => `link set n${index}-${link} down`))
}

/** What is known of one cable. */
export interface LinkState {
  readonly link: Link
  readonly up: boolean
  readonly deaf: boolean
}

/** Every node's cables as they are now, as the switch sees them. */
export async function readLinks(lab: Lab): Promise<ReadonlyMap<string, readonly LinkState[]>> {
  const text = await must(['ip', '-n', switchNetns(lab), '-j', 'link', 'show', 'type', 'veth'])
  const up = new Set(
    (JSON.parse(text) as { ifname: string; flags: string[] }[])
      .filter(({ flags }) => flags.includes('UP'))
      .map(({ ifname }) => ifname),
  )
  return new Map(
    lab.nodes.map((node) => [
      node,
      links.map((link) => ({
        link,
        up: up.has(`n${indexOf(lab, node)}-${link}`),
        deaf: existsSync(path.join(nodeDir(lab, node), `deaf-${link}`)),
      })),
    ]),
  )
}

/** Many commands in one process: `ip` stops at the first that fails. */
async function ip(options: readonly string[], ...commands: readonly string[]): Promise<void> {
  await must(['ip', ...options, '-batch', '-'], { input: `${commands.join('\n')}\n` })
}
