/** The CPG service: a group of processes, and messages in the same order for all of them. */
import type { RingId } from '../core/model.ts'
import { type Connection, connect, type Patience } from './connection.ts'
import type { Address, Change } from './group.ts'
import {
  bytesAt,
  callback,
  type Handle,
  integersAt,
  loadLibrary,
  type Native,
  type RawRing,
  ringOf,
  type Status,
} from './native.ts'

export interface CpgListener {
  onChange(members: readonly Address[], changes: readonly Change[]): void
  onRing(ring: RingId, nodeids: readonly number[]): void
  /** `bytes` is `undefined` when the message is longer than `messageBytesMax`. */
  onDeliver(from: Address, bytes: Uint8Array | undefined): void
}

export interface Cpg extends Connection {
  readonly self: Address
  /** The longest message that `post` takes: a longer one would be cut up, and wait for answers. */
  readonly postBytesMax: number
  /**
   * Hands a message to Corosync, in agreed order. `tryAgain`: a ring is forming, or too much is
   * under way. Returns at once as long as few messages are under way (see outbox.ts).
   */
  post(bytes: Uint8Array): Status
}

/** Longer messages are dropped before they are copied. */
export const messageBytesMax = 1 << 20
export const groupNameBytesMax = 127

const modelV1 = 1
/** `CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF`: tell the ring to a process that joins. */
const tellInitialRing = 1
/** `CPG_TYPE_AGREED` */
const agreed = 2
/** `struct cpg_address { uint32_t nodeid, pid, reason; }` */
const addressWords = 3

/** Connects and joins the group. */
export async function openCpg(
  native: Native,
  patience: Patience,
  group: string,
  listener: CpgListener,
): Promise<Cpg> {
  const length = Buffer.byteLength(group)
  if (length === 0 || length > groupNameBytesMax) {
    throw new Error(`the group's name must have 1 to ${groupNameBytesMax} bytes: ${group}`)
  }
  const callbacks = register(native, listener)
  const service = {
    name: 'cpg',
    file: 'libcpg.so.4',
    prefix: 'cpg',
    initialize: `int cpg_model_initialize(_Out_ uint64_t *handle, int model,
      const cpg_model_v1_data_t *data, void *context)`,
    given: [modelV1, { model: modelV1, ...callbacks, flags: tellInitialRing }, null],
    callbacks: Object.values(callbacks),
  }
  const nodeid: [number] = [0]
  const bytesMax: [number] = [0]
  const connection = await connect(native, patience, service, async ({ asking }) => {
    const local = asking('int cpg_local_get(uint64_t handle, _Out_ uint32_t *nodeid)')
    const limit = asking('int cpg_max_atomic_msgsize_get(uint64_t handle, _Out_ uint32_t *bytes)')
    const join = asking('int cpg_join(uint64_t handle, const cpg_name *group)')
    await local(nodeid)
    await limit(bytesMax)
    await join({ length, value: group })
  })
  const multicast = loadLibrary(native, service.file).func(
    'int cpg_mcast_joined(uint64_t handle, int guarantee, const iovec *parts, uint32_t length)',
  )
  return {
    ...connection,
    self: { nodeid: nodeid[0], pid: process.pid },
    postBytesMax: Math.min(bytesMax[0], messageBytesMax),
    post: (bytes) => multicast(connection.handle, agreed, { base: bytes, length: bytes.length }, 1),
  }
}

function register(native: Native, { onChange, onRing, onDeliver }: CpgListener) {
  return {
    onDeliver: callback(
      native,
      'OnDeliver',
      (_handle, _group, nodeid: number, pid: number, bytes: unknown, raw: Handle) => {
        const length = Number(raw)
        const long = length > messageBytesMax
        onDeliver({ nodeid, pid }, long ? undefined : bytesAt(native, bytes, length))
      },
    ),
    onChange: callback(
      native,
      'OnChange',
      (
        _handle,
        _group,
        members: unknown,
        membersLength: Handle,
        left: unknown,
        leftLength: Handle,
        joined: unknown,
        joinedLength: Handle,
      ) => {
        const changes = [
          ...changesAt(native, left, leftLength),
          ...changesAt(native, joined, joinedLength),
        ]
        onChange(
          changesAt(native, members, membersLength).map(({ nodeid, pid }) => ({ nodeid, pid })),
          changes,
        )
      },
    ),
    onRing: callback(
      native,
      'OnRing',
      (_handle, ring: RawRing, length: number, nodeids: unknown) => {
        onRing(ringOf(ring), integersAt(native, nodeids, length))
      },
    ),
  }
}

function changesAt(native: Native, address: unknown, length: Handle): Change[] {
  const words = integersAt(native, address, Number(length) * addressWords)
  return Array.from({ length: Number(length) }, (_, index) => {
    const [nodeid = 0, pid = 0, reason = 0] = words.slice(index * addressWords)
    return { nodeid, pid, reason }
  })
}
