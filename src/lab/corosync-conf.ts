/**
 * corosync.conf of a lab: knet with two links and encryption, and one of the measured timings.
 */
import { clusterLinks, indexOf, type Lab, nodeAddress, type Profile } from './names.ts'
import { arbiterAddress } from './qnetd.ts'

/**
 * `default` loses a node after about 2.1 s, `lan` after about 0.9 s. In `wide` every node asks all
 * the others so seldom whether they are there that one machine carries dozens of them. Below a
 * token of about 600 ms the links need a ping timeout of their own, else they flap with every late
 * token.
 *
 * `shared` is `lan` with a Corosync that takes its turn. The real-time priority that it asks for
 * costs nobody anything on a machine of its own; three on one machine take it from the daemons that
 * wait for them, and what is measured is the machine. In `wide` it takes its turn too.
 *
 * All but `wide` use all links at once: with passive links the loss of one was seen to cost the
 * token, because knet needs up to a second to notice, and longer with every loss.
 */
const totemOf: Readonly<Record<Profile, readonly string[]>> = {
  default: ['token: 1000', 'token_coefficient: 0', 'link_mode: active'],
  lan: quickly(),
  shared: quickly(),
  wide: ['token: 5000', 'token_coefficient: 0', 'link_mode: passive', ...pings(4_000, 12_000)],
}

function quickly(): string[] {
  const timing = ['token: 400', 'token_coefficient: 0', 'consensus: 480', 'join: 50']
  return [...timing, 'link_mode: active', ...pings(200, 1_000)]
}

function pings(intervalMs: number, timeoutMs: number): string[] {
  return clusterLinks.flatMap((link) => [
    'interface {',
    `  linknumber: ${link}`,
    `  knet_ping_interval: ${intervalMs}`,
    `  knet_ping_timeout: ${timeoutMs}`,
    '}',
  ])
}

function takesTurns({ profile }: Lab): boolean {
  return profile === 'shared' || profile === 'wide'
}

/** The same text for every node. */
export function corosyncConf(lab: Lab): string {
  const nodes = lab.nodes.flatMap((node) => [
    'node {',
    `  nodeid: ${indexOf(lab, node)}`,
    `  name: ${node}`,
    ...clusterLinks.map((link) => `  ring${link}_addr: ${nodeAddress(lab, node, link)}`),
    '}',
  ])
  return [
    ...(takesTurns(lab) ? [section('system', ['sched_rr: no'])] : []),
    section('totem', [
      'version: 2',
      `cluster_name: ${lab.name}`,
      'transport: knet',
      // Of so many nodes the encryption alone would be more than one machine can carry.
      ...(lab.profile === 'wide'
        ? ['crypto_cipher: none', 'crypto_hash: none']
        : ['crypto_cipher: aes256', 'crypto_hash: sha256']),
      ...totemOf[lab.profile],
    ]),
    section('logging', [
      'to_stderr: no',
      'to_syslog: no',
      'to_logfile: yes',
      'logfile: /var/log/corosync/corosync.log',
      'timestamp: hires',
    ]),
    section('quorum', ['provider: corosync_votequorum', ...tieBreaker(lab)]),
    section('nodelist', nodes),
  ].join('\n')
}

/** Two nodes have no majority without each other, and an even number may come to halves. */
function tieBreaker({ nodes, quorumDevice }: Lab): readonly string[] {
  if (!quorumDevice) return nodes.length === 2 ? ['two_node: 1'] : []
  const net = ['net {', `  host: ${arbiterAddress}`, '  algorithm: ffsplit', '  tls: off', '}']
  return ['device {', ...['model: net', 'votes: 1', ...net].map((line) => `  ${line}`), '}']
}

function section(name: string, lines: readonly string[]): string {
  return `${name} {\n${lines.map((line) => `  ${line}\n`).join('')}}\n`
}
