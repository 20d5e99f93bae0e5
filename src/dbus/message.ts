/**
 * One D-Bus message: a header that says who calls what, and a body of values.
 *
 * @source D-Bus Specification, "Message Protocol".
 */
import { marshal, unmarshal, type Value, type Variant } from './marshal.ts'

export interface Message {
  readonly type: MessageType
  readonly serial: number
  /** The sender of a call wants no answer. */
  readonly noReply?: boolean
  readonly path?: string
  readonly interface?: string
  readonly member?: string
  readonly errorName?: string
  /** The serial of the call that this answers. */
  readonly replySerial?: number
  readonly destination?: string
  readonly sender?: string
  readonly signature?: string
  readonly body?: readonly Value[]
}

/** `other`: a kind that a later version of the protocol has; it is to be ignored. */
export type MessageType = 'call' | 'return' | 'error' | 'signal' | 'other'

const TYPES: readonly MessageType[] = ['other', 'call', 'return', 'error', 'signal']
const NO_REPLY_EXPECTED = 1
const NO_AUTO_START = 2
const VERSION = 1
/** Endianness, type, flags, version, body length, serial, length of the fields. */
const FIXED_BYTES = 16
/** The bus allows 128 MiB. systemd's longest answers to us are a few hundred KiB. */
const MESSAGE_MAX = 2 ** 24

/** Header fields by their code, with their types. */
const FIELDS = [
  ['path', 1, 'o'],
  ['interface', 2, 's'],
  ['member', 3, 's'],
  ['errorName', 4, 's'],
  ['replySerial', 5, 'u'],
  ['destination', 6, 's'],
  ['sender', 7, 's'],
  ['signature', 8, 'g'],
] as const satisfies readonly (readonly [keyof Message, number, string])[]

export function encodeMessage(message: Message): Buffer {
  const { type, serial, noReply = false, signature = '', body = [] } = message
  const content = marshal(signature, body)
  const fields = FIELDS.flatMap(([name, code, kind]): Value[] => {
    const value = message[name]
    return value === undefined || value === '' ? [] : [[code, { signature: kind, value }]]
  })
  const flags = (noReply ? NO_REPLY_EXPECTED : 0) | NO_AUTO_START
  const start = ['l'.charCodeAt(0), TYPES.indexOf(type), flags, VERSION, content.length, serial]
  const header = marshal('yyyyuua(yv)', [...start, fields])
  return Buffer.concat([header, Buffer.alloc(-header.length & 7), content])
}

/**
 * How many bytes the message has that begins here; `undefined`: too few are here to tell. Throws
 * when it cannot be the beginning of one.
 */
export function messageLength(bytes: Buffer): number | undefined {
  if (bytes.length < FIXED_BYTES) return undefined
  const littleEndian = isLittleEndian(bytes)
  if (bytes[3] !== VERSION) throw new Error(`version ${bytes[3]} of the protocol`)
  const uint32 = (at: number) => (littleEndian ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at))
  const length = ((FIXED_BYTES + uint32(12) + 7) & ~7) + uint32(4)
  if (uint32(12) > MESSAGE_MAX || uint32(4) > MESSAGE_MAX || length > MESSAGE_MAX) {
    throw new Error(`a message of more than ${MESSAGE_MAX} bytes`)
  }
  return length
}

/** Reads one whole message. Throws when it is none. */
export function decodeMessage(bytes: Buffer): Message {
  const littleEndian = isLittleEndian(bytes)
  const fieldsLength = littleEndian ? bytes.readUInt32LE(12) : bytes.readUInt32BE(12)
  const headerLength = FIXED_BYTES + fieldsLength
  const header = bytes.subarray(0, headerLength)
  const [, type, flags, , , serial, fields] = unmarshal('yyyyuua(yv)', header, littleEndian)
  const found = fieldsOf(fields as readonly (readonly [number, Variant])[])
  const content = bytes.subarray((headerLength + 7) & ~7)
  const { signature = '' } = found
  return {
    ...found,
    type: TYPES[type as number] ?? 'other',
    serial: serial as number,
    noReply: ((flags as number) & NO_REPLY_EXPECTED) !== 0,
    body: unmarshal(signature, content, littleEndian),
  }
}

function fieldsOf(pairs: readonly (readonly [number, Variant])[]): Partial<Message> {
  const known = pairs.flatMap(([code, { signature, value }]) => {
    const field = FIELDS.find(([, itsCode]) => itsCode === code)
    if (field === undefined) return []
    if (field[2] !== signature) throw new Error(`a header field ${field[0]} of type ${signature}`)
    return [[field[0], value]]
  })
  return Object.fromEntries(known) as Partial<Message>
}

function isLittleEndian(bytes: Buffer): boolean {
  const mark = String.fromCharCode(bytes[0] ?? 0)
  if (mark !== 'l' && mark !== 'B') throw new Error('neither little- nor big-endian')
  return mark === 'l'
}
