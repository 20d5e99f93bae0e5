/**
 * The quorum service: which ring there is, and whether it is quorate.
 *
 * Corosync tells of a new ring first (the nodelist callback) and of its verdict afterwards: within
 * a millisecond as a rule, after many seconds with a quorum device (seen: 7 s, on both sides of a
 * cut). Until then its libraries go on saying what was true of the ring before. `word` never does
 * that: no verdict for the newest ring means not quorate (S4, S14). A verdict comes with the id of
 * the ring that it was given for, on the node that loses quorum as on those that keep it.
 */
import type { RingId } from '../core/model.ts'
import { type Connection, connect, type Patience } from './connection.ts'
import { callback, type Handle, type Native, type RawRing, ringOf } from './native.ts'

export interface Word {
  readonly ring: RingId
  readonly quorate: boolean
}

export interface Quorum extends Connection {
  /** The newest ring, and whether it is known to be quorate; `undefined` before the first ring. */
  word(): Word | undefined
}

/** `CS_TRACK_CURRENT | CS_TRACK_CHANGES` */
export const trackAll = 3
const modelV1 = 1

/** Opens the service. Every verdict is told, also one that repeats the one before. */
export async function openQuorum(
  native: Native,
  patience: Patience,
  onVerdict: (word: Word) => void,
): Promise<Quorum> {
  let newest: RingId | undefined
  let verdict: Word | undefined
  const verdictCallback = callback(
    native,
    'OnVerdict',
    (_handle: Handle, quorate: number, ring: RawRing) => {
      verdict = { ring: ringOf(ring), quorate: quorate === 1 }
      newest ??= verdict.ring
      onVerdict(verdict)
    },
  )
  const nodesCallback = callback(native, 'OnNodes', (_handle: Handle, ring: RawRing) => {
    newest = ringOf(ring)
  })
  const service = {
    name: 'quorum',
    file: 'libquorum.so.5',
    prefix: 'quorum',
    initialize: `int quorum_model_initialize(_Out_ uint64_t *handle, int model,
      const quorum_model_v1_data_t *data, _Out_ uint32_t *type, void *context)`,
    given: [
      modelV1,
      { model: modelV1, onVerdict: verdictCallback, onNodes: nodesCallback },
      [0],
      null,
    ],
    callbacks: [verdictCallback, nodesCallback],
  }
  const connection = await connect(native, patience, service, async ({ asking }) => {
    const track = asking('int quorum_trackstart(uint64_t handle, uint32_t flags)')
    await track(trackAll)
  })
  return {
    ...connection,
    word: () => {
      if (newest === undefined) return undefined
      const given = verdict?.ring.rep === newest.rep && verdict.ring.seq === newest.seq
      return { ring: newest, quorate: given && verdict?.quorate === true }
    },
  }
}
