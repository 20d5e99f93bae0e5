/**
 * `picket quorum expected`: the way out when most nodes are lost for good (H26). A person says of
 * each missing one that it is dead, and those that are left go on. What could be lost by it is kept
 * beside before, and every name is typed, so that no script and no habit can do it.
 */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { votesText } from '../core/recovery.ts'
import type { Status } from '../core/status.ts'
import { defineCommand, type ExitCode, UsageError } from './command.ts'
import { askOnce, ControlError, mayBeAlone, socketPath } from './control.ts'
import { heldBy } from './held.ts'
import { plain } from './marks.ts'
import { follow, requester } from './order.ts'
import { statusIn, whyNone } from './status.ts'
import type { Terminal } from './terminal.ts'

/** What is kept beside first: what this node remembers, and how many votes are configured. */
const corosyncConf = '/etc/corosync/corosync.conf'
const kept = ['ledger.json', 'audit.jsonl']

export const command = defineCommand({
  name: 'quorum',
  words: ['expected', 'VOTES'],
  about: `Lets the nodes that are left go on without a majority, when the others are lost for good.
It writes off every node that is missing: its services start here, at once. If one of them still
runs, or is switched on again as it is, they run twice and damage what they share.
All that are left must be in one ring, with picketd running; it is said on one of them. VOTES is
what Corosync is told to expect until its next start: at least as many as there are nodes left, and
less than twice as many. All that are left must be there for every decision from then on.

The name of each missing node has to be typed, and that of the cluster, at a terminal. The ledger
and corosync.conf are copied first. What the lost nodes had decided last is lost with them: wishes
of operators, and orders to keep a node off. See "When most nodes are lost for good" in the guide.`,
  flags: {
    reason: { value: 'TEXT', title: 'What has happened, for the log of everybody' },
    'dry-run': { title: 'Only say what follows from it' },
    json: { title: 'Answer in JSON, one object a line' },
    state: { value: 'DIR', title: 'The state of picketd (/var/lib/picket)' },
    socket: { value: 'PATH', title: "picketd's control socket" },
  },
  async run({ words: [what, votes = ''], flags }, terminal) {
    if (what !== 'expected') throw new UsageError('Say `picket quorum expected VOTES`.')
    if (!/^[1-9][0-9]?$/.test(votes)) throw new UsageError('VOTES is a number from 1 to 99.')
    const { reason = '' } = flags
    if (reason.length > 500) throw new UsageError('--reason takes at most 500 characters.')
    try {
      return await expect(Number(votes), flags, terminal)
    } catch (error) {
      if (!(error instanceof ControlError)) throw error
      terminal.err(`picket quorum: ${error.message}. Nobody was written off.`)
      return 1 satisfies ExitCode
    }
  },
})

interface Flags {
  readonly reason?: string | undefined
  readonly 'dry-run'?: boolean | undefined
  readonly json?: boolean | undefined
  readonly state?: string | undefined
  readonly socket?: string | undefined
}

async function expect(votes: number, flags: Flags, terminal: Terminal): Promise<ExitCode> {
  const { err } = terminal
  if (mayBeAlone(flags.socket)) {
    err('Refused: picketd is not configured here; there is no quorum to mend.')
    return 3
  }
  const path = socketPath(flags.socket)
  const line = await terminal.during('asking picketd', askOnce(path, { do: 'status' }))
  const status = statusIn(line)
  if (status === undefined) throw new ControlError(whyNone(line))
  const missing = status.nodes.filter(({ inRing }) => !inRing).map(({ id }) => id)
  const why = whyNot(status, missing, votes)
  if (why !== undefined) {
    err(`Refused: ${why}.`)
    return 3
  }
  for (const sentence of whatIsAtStake(status, missing, votes)) err(sentence)
  if (flags['dry-run']) return 0
  if (!(await agreed(status.cluster, missing, terminal))) return 3
  const place = keep(flags.state ?? '/var/lib/picket')
  if (place.because !== undefined) {
    err(`Failed: nothing could be kept first: ${place.because}. Nobody was written off.`)
    return 1
  }
  err(`What was known and configured here is kept in ${place.dir}.`)
  const word = { nodes: missing, votes, ring: status.ring, reason: flags.reason ?? '' }
  const request = { do: 'recover', ...word, requester: requester() }
  return await follow(path, request, flags.json === true, terminal)
}

function whyNot(status: Status, missing: readonly string[], votes: number): string | undefined {
  if (missing.length === 0) return 'no node is missing'
  if (status.ready) return 'the cluster decides; picket confirm is for a node that is dead'
  return votesText(votes, status.nodes.length - missing.length)
}

/** What is lost, what starts, and what must never happen from now on. */
function whatIsAtStake(status: Status, missing: readonly string[], votes: number) {
  const said = [`The cluster cannot decide now: ${plain(status.because)}.`]
  for (const node of status.nodes) {
    const { id, standing, because } = node
    if (!missing.includes(id)) continue
    const things = heldBy(node, status.resources) || 'nothing that is known of'
    said.push(`${plain(id)}, last known as ${standing} (${plain(because)}), may hold ${things}.`)
  }
  const left = status.nodes.filter(({ id }) => !missing.includes(id)).map(({ id }) => plain(id))
  said.push(
    `All services start on ${left.join(', ')}, at once; ` +
      `Corosync expects ${votesWord(votes)} there.`,
    'If a node that you name still runs, or runs again as it is, they run twice. Go and look: is ' +
      'it off, and will nobody switch it on before it is wiped?',
    'What the missing nodes decided last is lost: wishes of operators, orders to keep a node off.',
  )
  return said
}

function votesWord(votes: number): string {
  return votes === 1 ? '1 vote' : `${votes} votes`
}

/** Every name, and the cluster's: whoever types them has read them. */
async function agreed(
  cluster: string,
  missing: readonly string[],
  { ask, err }: Terminal,
): Promise<boolean> {
  const wanted = [
    ...missing.map((id) => [`Type the name of ${plain(id)}, which you have seen dead:`, id]),
    ['Type the name of the cluster, to go on without them:', cluster],
  ] as const
  for (const [question = '', answer = ''] of wanted) {
    const typed = await ask(question)
    if (typed?.trim() === answer) continue
    err(
      typed === undefined
        ? 'Refused: there is nobody here to type it. A person at a terminal has to do it.'
        : `Refused: that is not ${plain(answer)}. Nobody was written off.`,
    )
    return false
  }
  return true
}

/** Copies what a person might want back into a folder of its own. */
function keep(stateDir: string): { readonly dir: string; readonly because?: string } {
  const stamp = new Date().toISOString().replaceAll(/[:.]/g, '-')
  const dir = join(stateDir, `before-recovery-${stamp}`)
  const files = [...kept.map((name) => join(stateDir, name)), corosyncConf]
  try {
    mkdirSync(dir, { mode: 0o700 })
    for (const file of files.filter((each) => existsSync(each))) {
      copyFileSync(file, join(dir, file.split('/').at(-1)!))
    }
    return { dir }
  } catch (error) {
    return { dir, because: error instanceof Error ? error.message : String(error) }
  }
}
