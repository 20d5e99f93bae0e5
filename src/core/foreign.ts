/**
 * A member that speaks another protocol: another version of Picket, in the midst of an upgrade. Of
 * what it says nothing is understood but that it is there and which protocol it speaks, so nothing
 * is guessed. It is treated as one with another config: it takes no part, holds what it holds, and
 * is condemned when that lasts too long. Where most members speak the other one, we are left out.
 */
import { blankReport, type Sync } from './message.ts'
import type { NodeId } from './model.ts'
import { type Session, say, setSession, type Turn } from './state.ts'

/** Before it a number, in the place of a config hash: no config's hash begins like that. */
const MARK = 'protocol '

/** It is here, and that is all that can be known of it. */
export function onForeign(turn: Turn, from: NodeId, theirs: number, ours: number): void {
  const session = turn.state.session!
  if (session.merged !== undefined || session.syncs[from] !== undefined) return
  const text = `${from} speaks protocol ${theirs}, and this picketd protocol ${ours}`
  say(turn, 'alarm', `${text}: install one version of Picket on all nodes`, { node: from })
  setSession(turn, { syncs: { ...session.syncs, [from]: foreignSync(theirs) } })
}

/** Why a session goes on without us, in a sentence. */
export function whyLeftOut({ merged, syncs }: Session): string {
  const [hash = ''] = (merged?.members ?? []).flatMap((id) => syncs[id]?.configHash ?? [])
  if (!hash.startsWith(MARK)) {
    return 'this node takes no part: its config differs from that of the other members'
  }
  const what = 'this node takes no part: the other members speak'
  return `${what} ${hash}, which is not ours; install one version of Picket on all nodes`
}

function foreignSync(protocol: number): Sync {
  return {
    identity: { incarnation: '', boot: '' },
    configHash: `${MARK}${protocol}`,
    ledger: undefined,
    chain: false,
    shown: [],
    report: blankReport,
  }
}
