/**
 * The outermost form of what goes over the network: packets of a login, which are open, and packets
 * of a session, which are encrypted and carry a code over everything that matters.
 *
 *   06 00 ff 07 | 06 type session(4) sequence(4) length(2) | payload | pad padLength 07 | code
 *
 * Every byte that comes in is hostile: lengths are compared before anything is read, a sealed
 * packet is believed in nothing before its code is right, and whatever does not fit is a FenceError
 * (`garbled`).
 *
 * @see IPMI 2.0 revision 1.1: 13.6 (packets), 13.28.4 (integrity), 13.29 (AES-CBC-128).
 */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { FenceError } from '../errors.ts'
import { type Keys, sameCode, tagOf } from './suite.ts'

/** RMCP version 1, no acknowledgement wanted, class IPMI. */
const rmcp = Buffer.from([0x06, 0x00, 0xff, 0x07])
/** The header of RMCP, and that of a session behind it. */
const HEADER_BYTES = 4 + 12
const FORMAT = 0x06
const NEXT_HEADER = 0x07
/** Encrypted, authenticated, an IPMI message. */
const SEALED_MESSAGE = 0xc0
const BLOCK_BYTES = 16

/** The payloads of a login. */
export const payloads = {
  openRequest: 0x10,
  openResponse: 0x11,
  rakp1: 0x12,
  rakp2: 0x13,
  rakp3: 0x14,
  rakp4: 0x15,
} as const

export interface OpenPacket {
  readonly type: number
  readonly payload: Buffer
}

/** A packet of a login: no session yet, no secrets in it. */
export function openPacket(type: number, payload: Buffer): Buffer {
  return Buffer.concat([headerOf(type, 0, 0, payload.length), payload])
}

/** Reads a packet of a login. `undefined` for a packet of a session. */
export function parseOpenPacket(packet: Buffer): OpenPacket | undefined {
  checkHeader(packet)
  const type = packet.readUInt8(5)
  if ((type & 0xc0) !== 0) return undefined
  const payload = packet.subarray(HEADER_BYTES)
  if (packet.readUInt16LE(14) !== payload.length) {
    throw new FenceError('garbled', 'a packet of the login has another length than it says')
  }
  return { type, payload }
}

/** Where a sealed packet belongs. */
export interface Envelope {
  readonly sessionId: number
  readonly sequence: number
}

/** Encrypts a message and codes the packet. `iv` is 16 random bytes, never used before. */
export function sealPacket(
  keys: Keys,
  { sessionId, sequence }: Envelope,
  message: Buffer,
  iv: Buffer,
): Buffer {
  const padBytes = (BLOCK_BYTES - ((message.length + 1) % BLOCK_BYTES)) % BLOCK_BYTES
  const pad = Buffer.from(Array.from({ length: padBytes }, (_, index) => index + 1))
  const cipher = createCipheriv('aes-128-cbc', keys.encryption, iv).setAutoPadding(false)
  const plain = Buffer.concat([message, pad, Buffer.from([padBytes])])
  const payload = Buffer.concat([iv, cipher.update(plain), cipher.final()])

  // What the code covers, from the format byte to the next header, is a multiple of four.
  const fillBytes = (4 - ((12 + payload.length + 2) % 4)) % 4
  const trailer = [Buffer.alloc(fillBytes, 0xff), Buffer.from([fillBytes, NEXT_HEADER])]
  const header = headerOf(SEALED_MESSAGE, sessionId, sequence, payload.length)
  const packet = Buffer.concat([header, payload, ...trailer])
  return Buffer.concat([packet, tagOf(keys, packet.subarray(rmcp.length))])
}

/**
 * The message in a sealed packet. `undefined` for a packet of a login or of another session, which
 * may be an old one that comes late.
 */
export function unsealPacket(keys: Keys, sessionId: number, packet: Buffer): Buffer | undefined {
  checkHeader(packet)
  if (packet.readUInt8(5) !== SEALED_MESSAGE) return undefined
  if (packet.readUInt32LE(6) !== sessionId) return undefined
  const { tagBytes } = keys.suite
  const payloadBytes = packet.readUInt16LE(14)
  const codeAt = packet.length - tagBytes
  if (codeAt < HEADER_BYTES + payloadBytes + 2) {
    throw new FenceError('garbled', 'a packet is shorter than it says')
  }
  const covered = packet.subarray(rmcp.length, codeAt)
  if (!sameCode(packet.subarray(codeAt), tagOf(keys, covered))) {
    throw new FenceError('garbled', 'a packet carries a wrong code')
  }
  const fillBytes = packet.readUInt8(codeAt - 2)
  const isWhole = codeAt === HEADER_BYTES + payloadBytes + fillBytes + 2
  if (!isWhole || packet.readUInt8(codeAt - 1) !== NEXT_HEADER) {
    throw new FenceError('garbled', 'a packet ends in another way than IPMI 2.0 has it')
  }
  return decrypt(keys, packet.subarray(HEADER_BYTES, HEADER_BYTES + payloadBytes))
}

function decrypt(keys: Keys, payload: Buffer): Buffer {
  if (payload.length < 2 * BLOCK_BYTES || payload.length % BLOCK_BYTES !== 0) {
    throw new FenceError('garbled', `${payload.length} bytes cannot be decrypted`)
  }
  const iv = payload.subarray(0, BLOCK_BYTES)
  const decipher = createDecipheriv('aes-128-cbc', keys.encryption, iv).setAutoPadding(false)
  const plain = Buffer.concat([decipher.update(payload.subarray(BLOCK_BYTES)), decipher.final()])
  const padBytes = plain.readUInt8(plain.length - 1)
  if (padBytes >= BLOCK_BYTES) throw new FenceError('garbled', 'a packet has a wrong padding')
  return plain.subarray(0, plain.length - 1 - padBytes)
}

function headerOf(type: number, sessionId: number, sequence: number, bytes: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  rmcp.copy(header)
  header.writeUInt8(FORMAT, 4)
  header.writeUInt8(type, 5)
  header.writeUInt32LE(sessionId, 6)
  header.writeUInt32LE(sequence, 10)
  header.writeUInt16LE(bytes, 14)
  return header
}

function checkHeader(packet: Buffer): void {
  // The third byte numbers packets of RMCP itself; BMCs differ in what they write there.
  const isRmcp = packet.length >= HEADER_BYTES && packet[0] === rmcp[0] && packet[3] === rmcp[3]
  if (!isRmcp || packet[4] !== FORMAT) {
    throw new FenceError('garbled', 'what comes from there is no packet of IPMI 2.0')
  }
}
