/**
 * What dlm_controld is told (H21): it waits for the fencing of a node before the locks of that node
 * go to others. Its helper (`picket dlm-fence`) asks whether a node is proven off, and what to
 * order where nobody is at it. Where the config says so, it is also told unasked of every node
 * that is.
 *
 * dlm_tool ends with 0 whether anybody heard it or not, so its daemon is asked for its status
 * first.
 */
import { entryOf } from '../core/ledger.ts'
import { sameRing } from '../core/model.ts'
import type { State } from '../core/state.ts'
import type { Corosync } from '../corosync/corosync.ts'
import { runChild } from '../foreign/child.ts'
import { printable } from '../foreign/printable.ts'
import type { Desk } from './control.ts'
import type { Log } from './log.ts'
import type { Mailbox } from './mailbox.ts'
import { openProofs, type Proof, whatToOrder } from './proofs.ts'

const attempts = 3
const gapMs = 2_000
const timeoutMs = 5_000
const outputMaxBytes = 256 * 2 ** 10

export interface Dlm {
  readonly prove: Desk['prove']
  /** Looked at after every step of the core. */
  follow(state: State): void
}

export interface DlmParts {
  readonly corosync: Pick<Corosync, 'nodes' | 'authority'>
  readonly mailbox: Mailbox
  readonly say: Log['say']
  /** Is dlm_controld to be told unasked? */
  readonly tells: boolean
}

/** What is proven of whom, for dlm_controld, which knows nodes by Corosync's numbers. */
export function openDlm({ corosync, mailbox, say, tells }: DlmParts): Dlm {
  const nodeidOf = (node: string) => corosync.nodes.find(({ name }) => name === node)?.nodeid
  const proofs = openProofs((proof) => {
    const holds = () => proofs.of(proof.node) !== undefined
    if (tells) void tellDlm(proof, { say, nodeidOf, holds })
  })
  return {
    follow: proofs.follow,
    prove(nodeid, requester) {
      const state = mailbox.node?.state()
      const node = corosync.nodes.find((each) => each.nodeid === nodeid)?.name
      if (state === undefined) return 'picketd has not joined the cluster yet'
      if (node === undefined || !state.config.nodes.some(({ id }) => id === node)) {
        return `there is no node with nodeid ${nodeid} in Corosync's nodelist and in the config`
      }
      if (node === state.self) return `${node} is this node itself`
      const no = (because: string, order: 'off' | 'reboot' | '') =>
        ({ ok: false, because, node, order }) as const
      // What the core has not heard yet may be that the node was there again.
      const word = corosync.authority()
      const ring = state.group?.ring
      const known = word?.quorate === true && ring !== undefined && sameRing(word.ring, ring)
      if (!known)
        return no('without quorum, or news of the newest ring, nothing is proven here', '')
      const proof = proofs.of(node)
      if (proof === undefined) {
        const { standing, deferred } = entryOf(state.ledger, node)
        const still = deferred === '' ? '' : `, and not fenced yet: ${deferred}`
        return no(`${node} is ${standing}, which is no proof${still}`, whatToOrder(state, node))
      }
      say('info', `${requester} asks for ${node}, which is proven off: ${proof.text}.`, { node })
      return { ok: true, because: `${node} is off: ${proof.text}` }
    },
  }
}

export interface DlmOptions {
  readonly say: Log['say']
  readonly nodeidOf: (node: string) => number | undefined
  /** Does the proof still hold? Asked before every word to dlm_controld. */
  readonly holds: (proof: Proof) => boolean
  readonly program?: string
}

/** Tells dlm_controld of one proof; gives up after a few attempts, and never throws. */
export async function tellDlm(proof: Proof, options: DlmOptions): Promise<void> {
  const { say, nodeidOf, holds, program = 'dlm_tool' } = options
  const nodeid = nodeidOf(proof.node)
  if (nodeid === undefined) return
  let because = ''
  for (let attempt = 0; attempt < attempts; attempt++) {
    if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, gapMs).unref())
    because = await whyDeaf(program)
    // It may be back by now: then the word would be about another life of it.
    if (!holds(proof)) return
    if (because !== '') continue
    because = await run(program, ['fence_ack', `${nodeid}`], () => '')
    if (because !== '') continue
    const text = `dlm_controld was told that ${proof.node} (nodeid ${nodeid}) is off`
    return say('info', `${text}: ${proof.text}.`, { node: proof.node })
  }
  const text = `dlm_controld was not told that ${proof.node} is off: ${because}`
  say('warn', `${text}. It asks itself, if it needs to know.`, { node: proof.node })
}

function whyDeaf(program: string): Promise<string> {
  return run(program, ['status'], (stdout) =>
    /^cluster nodeid \d/m.test(stdout) ? '' : 'dlm_controld does not answer',
  )
}

/** Why it did not do what it should; empty where it did. */
async function run(
  program: string,
  args: readonly string[],
  judge: (stdout: string) => string,
): Promise<string> {
  const signal = AbortSignal.timeout(timeoutMs)
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }
  try {
    const { code, stdout } = await runChild(program, args, { env, signal, outputMaxBytes })
    return code === 0 ? judge(stdout) : `${program} ${args[0]} ended with ${code}`
  } catch (error) {
    return signal.aborted
      ? `${program} ${args[0]} took longer than ${timeoutMs / 1_000} s`
      : printable((error as Error).message)
  }
}
