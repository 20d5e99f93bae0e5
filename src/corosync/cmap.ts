/**
 * cmap, Corosync's map of configuration and state, mirrored: its values are read while the
 * connection opens, and every change is told from then on. To read a key later would be to wait
 * for Corosync.
 */
import { endianness } from 'node:os'
import { type Connection, connect, type Opened, type Patience, status } from './connection.ts'
import { bytesAt, callback, type Handle, type Native } from './native.ts'

export type Value = string | number
/** A mirror's content, by key. */
export type Keys = ReadonlyMap<string, Value>

export interface Mirror extends Connection {
  readonly keys: Keys
}

export interface MirrorOptions {
  /** `icmap` holds the configuration and the state; `stats` what is counted. */
  readonly map: 'icmap' | 'stats'
  /** Begins of keys to mirror. Corosync takes none of these in `stats`. */
  readonly prefixes?: readonly string[]
  /** Single keys to mirror; those that do not exist are left out. */
  readonly single?: readonly string[]
  onChange?(key: string): void
}

interface RawValue {
  readonly type: number
  readonly length: Handle
  readonly data: unknown
}

const maps = { icmap: 0, stats: 1 } as const
/** `CMAP_TRACK_*` */
const track = { delete: 1, modify: 2, add: 4, prefix: 8 } as const
const keyBytesMax = 256
const valueBytesMax = 4096
/** More keys than this below one prefix are no configuration that we could use. */
const keysMax = 10_000

/** Opens cmap and reads what is to be mirrored. */
export async function openMirror(
  native: Native,
  patience: Patience,
  { map, prefixes = [], single = [], onChange }: MirrorOptions,
): Promise<Mirror> {
  const keys = new Map<string, Value>()
  const onKey = callback(
    native,
    'OnKey',
    (_handle: Handle, _track: Handle, event: number, key: string, now: RawValue) => {
      const length = Number(now.length)
      const value =
        event === track.delete || length > valueBytesMax
          ? undefined
          : decode(now.type, bytesAt(native, now.data, length))
      if (value === undefined) keys.delete(key)
      else keys.set(key, value)
      onChange?.(key)
    },
  )
  const service = {
    name: 'cmap',
    file: 'libcmap.so.4',
    prefix: 'cmap',
    initialize: 'int cmap_initialize_map(_Out_ uint64_t *handle, int map)',
    given: [maps[map]],
    callbacks: [onKey],
  }
  const connection = await connect(native, patience, service, async ({ asking }) => {
    const follow = asking(`int cmap_track_add(uint64_t handle, const char *key, int32_t events,
      OnKey *listener, void *user, _Out_ uint64_t *track)`)
    const get = reader(asking)
    const iterate = iterator(asking)
    for (const prefix of prefixes) {
      // Tracked first and read then, so that no change falls in between.
      const events = track.add | track.delete | track.modify | track.prefix
      await follow(prefix, events, onKey, null, [0])
      for (const key of await iterate(prefix)) keep(keys, key, await get(key))
    }
    for (const key of single) {
      const value = await get(key)
      if (value === undefined) continue
      keep(keys, key, value)
      await follow(key, track.modify, onKey, null, [0])
    }
  })
  return { ...connection, keys }
}

function keep(keys: Map<string, Value>, key: string, value: Value | undefined): void {
  if (value !== undefined) keys.set(key, value)
}

/** Reads one key; `undefined` when it does not exist, or is of a type that we have no use for. */
function reader(asking: Opened['asking']): (key: string) => Promise<Value | undefined> {
  const get = asking(
    `int cmap_get(uint64_t handle, const char *key, void *value,
      _Inout_ size_t *length, _Out_ int *type)`,
    [status.notExist],
  )
  return async (key) => {
    const value = new Uint8Array(valueBytesMax)
    const length: [Handle] = [valueBytesMax]
    const type: [number] = [0]
    const result = await get(key, value, length, type)
    if (result === status.notExist) return undefined
    return decode(type[0], value.subarray(0, Number(length[0])))
  }
}

/** Lists the keys below a prefix. */
function iterator(asking: Opened['asking']): (prefix: string) => Promise<string[]> {
  const begin = asking(`int cmap_iter_init(uint64_t handle, const char *prefix,
    _Out_ uint64_t *iterator)`)
  const next = asking(
    `int cmap_iter_next(uint64_t handle, uint64_t iterator, void *key,
      _Out_ size_t *length, _Out_ int *type)`,
    [status.noSections],
  )
  const end = asking('int cmap_iter_finalize(uint64_t handle, uint64_t iterator)')
  return async (prefix) => {
    const found: string[] = []
    const handle: [Handle] = [0]
    await begin(prefix, handle)
    while (found.length < keysMax) {
      const key = new Uint8Array(keyBytesMax)
      const result = await next(handle[0], key, [0], [0])
      if (result === status.noSections) break
      found.push(text(key))
    }
    await end(handle[0])
    return found
  }
}

function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  return Buffer.from(bytes.subarray(0, end < 0 ? bytes.length : end)).toString()
}

const littleEndian = endianness() === 'LE'

/** A value by its `CMAP_VALUETYPE_*`; floats and binaries are of no use to us. */
function decode(type: number, bytes: Uint8Array): Value | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const read = readers[type]
  if (type === textType) return text(bytes)
  return read === undefined || bytes.length < read.bytes ? undefined : read.at(view)
}

const textType = 11
const readers: Readonly<Record<number, { bytes: number; at: (view: DataView) => number }>> = {
  1: { bytes: 1, at: (view) => view.getInt8(0) },
  2: { bytes: 1, at: (view) => view.getUint8(0) },
  3: { bytes: 2, at: (view) => view.getInt16(0, littleEndian) },
  4: { bytes: 2, at: (view) => view.getUint16(0, littleEndian) },
  5: { bytes: 4, at: (view) => view.getInt32(0, littleEndian) },
  6: { bytes: 4, at: (view) => view.getUint32(0, littleEndian) },
  7: { bytes: 8, at: (view) => Number(view.getBigInt64(0, littleEndian)) },
  8: { bytes: 8, at: (view) => Number(view.getBigUint64(0, littleEndian)) },
}
