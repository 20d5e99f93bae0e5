/**
 * `picket confirm`: proof by hand (F14). Where no fence device can prove a node dead, a person who
 * has seen that it is can say so, and the cluster goes on. Nothing else in Picket takes a person's
 * word for a proof, so it is asked for in a way that no script and no habit can answer.
 */
import { nothingToConfirm } from '../core/orders.ts'
import type { NodeStatus, Status } from '../core/status.ts'
import { defineCommand, type ExitCode, UsageError } from './command.ts'
import { askOnce, ControlError, mayBeAlone, socketPath } from './control.ts'
import { heldBy } from './held.ts'
import { plain } from './marks.ts'
import { follow, requester } from './order.ts'
import { statusIn, whyNone } from './status.ts'
import type { Terminal } from './terminal.ts'

export const command = defineCommand({
  name: 'confirm',
  words: ['NODE'],
  about: `Tells the cluster that you have seen NODE dead: its power is off, or its power and network
cables are pulled, and nobody will plug them in again unasked. Its services then start elsewhere,
at once. If NODE still runs, they run twice and damage what they share.
Only for a node that no fence device can prove off: see \`picket status\`. The name of the node has
to be typed once more, at a terminal. The log of every node, and its audit log, keep who said so.`,
  flags: {
    reason: { value: 'TEXT', title: 'What you have seen, for the log of everybody' },
    json: { title: 'Answer in JSON, one object a line' },
    socket: { value: 'PATH', title: "picketd's control socket" },
  },
  async run({ words: [node], flags }, terminal) {
    if (node === undefined) throw new UsageError('NODE is missing.')
    try {
      return await confirm(node, flags, terminal)
    } catch (error) {
      if (!(error instanceof ControlError)) throw error
      terminal.err(`picket confirm: ${error.message}. Nothing was confirmed.`)
      return 1 satisfies ExitCode
    }
  },
})

interface Flags {
  readonly reason?: string | undefined
  readonly json?: boolean | undefined
  readonly socket?: string | undefined
}

async function confirm(node: string, flags: Flags, terminal: Terminal): Promise<ExitCode> {
  if (mayBeAlone(flags.socket)) {
    terminal.err('Refused: picketd is not configured here, so nothing waits for a confirmation.')
    return 3
  }
  const path = socketPath(flags.socket)
  const line = await terminal.during('asking picketd', askOnce(path, { do: 'status' }))
  const status = statusIn(line)
  if (status === undefined) throw new ControlError(whyNone(line))
  const found = status.nodes.find(({ id }) => id === node)
  if (found === undefined) {
    const names = status.nodes.map(({ id }) => plain(id)).join(', ')
    terminal.err(`Refused: there is no node ${plain(node)}; the nodes are ${names}.`)
    return 3
  }
  const nothing = nothingToConfirm(plain(node), found.standing, found.inRing || found.daemon)
  if (nothing !== undefined) {
    terminal.err(`Refused: ${nothing}.`)
    return 3
  }
  for (const sentence of whatIsAtStake(found, status)) terminal.err(sentence)
  const typed = await terminal.ask(`Type the name of the node that you have seen dead:`)
  if (typed?.trim() !== node) {
    terminal.err(
      typed === undefined
        ? 'Refused: there is nobody here to type its name. A person at a terminal has to do it.'
        : `Refused: that is not ${plain(node)}. Nothing was confirmed.`,
    )
    return 3
  }
  const { boot } = found
  const request = { target: node, boot, requester: requester(), reason: flags.reason ?? '' }
  return await follow(path, { do: 'confirm', ...request }, flags.json === true, terminal)
}

/** What the cluster knows of it, and what follows if the person is wrong. */
function whatIsAtStake(node: NodeStatus, status: Status) {
  const { id, standing, because, fencing } = node
  const name = plain(id)
  const said = [`${name} is ${standing}: ${plain(because)}.`]
  if (fencing !== undefined) said.push(`Its fencing so far: ${plain(fencing.at)}.`)
  const things = heldBy(node, status.resources)
  if (things !== '') said.push(`It may still hold ${things}: that starts elsewhere, at once.`)
  if (!status.ready) said.push(`The cluster cannot decide now: ${plain(status.because)}.`)
  said.push(`If ${name} still runs, what it holds runs twice. Go and look: is its power off?`)
  return said
}
