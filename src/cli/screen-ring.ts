/** Corosync on the screen of `picket status`: one line, and one for each link that is down. */
import type { RingStatus } from '../daemon/ring-status.ts'
import { mark, type Paint, plain } from './marks.ts'

/** Empty where the daemon has told nothing of it. */
export function ringLines(status: object, paint: Paint): readonly string[] {
  const ring = ringIn(status)
  if (ring === undefined) return []
  const { totem, links, votes } = ring
  const numbers = [...new Set(links.map(({ link }) => link))]
  const s = (ms: number) => `${ms / 1_000} s`
  const facts = [
    plain(totem.transport),
    ...(numbers.length > 0 ? [`${numbers.length} link${numbers.length > 1 ? 's' : ''}`] : []),
    totem.encrypted ? 'encrypted' : 'not encrypted',
    `token ${s(totem.tokenMs)}`,
    `consensus ${s(totem.consensusMs)}`,
    `join ${s(totem.joinMs)}`,
    `${totem.retransmits} retransmits`,
    `${totem.messagesMax} messages a token`,
  ]
  const quorum = [`of ${votes.expected} votes`, ...votes.rules.map(plain)].join(', ')
  return [
    paint('dim', `Corosync: ${facts.join(', ')}; quorum ${quorum}`),
    ...links
      .filter(({ up }) => !up)
      .map(({ node, link }) => mark('bad', `link ${link} to ${plain(node)} is down`, paint)),
  ]
}

function ringIn(status: object): RingStatus | undefined {
  const ring: unknown = Reflect.get(status, 'corosync')
  return typeof ring === 'object' && ring !== null ? (ring as RingStatus) : undefined
}
