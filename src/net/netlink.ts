/**
 * The envelope of netlink, the language in which Linux is told and asked about its network: bytes
 * in, bytes out, nothing is sent here. Numbers stand in the order of this machine.
 *
 * It is the kernel that answers, and an answer that is not as it should be is refused all the same:
 * what is guessed at here would say where an address is.
 *
 * @source Linux, include/uapi/linux/netlink.h and Documentation/userspace-api/netlink/intro.rst.
 */
import { endianness } from 'node:os'

export const NLM_F_REQUEST = 0x1
export const NLM_F_ACK = 0x4
/** The table has changed while it was read out: what was read may be of no single moment. */
const NLM_F_DUMP_INTR = 0x10
const NLM_F_CAPPED = 0x100
const NLM_F_ACK_TLVS = 0x200
export const NLM_F_EXCL = 0x200
export const NLM_F_DUMP = 0x300
export const NLM_F_CREATE = 0x400

const NLMSG_NOOP = 1
const NLMSG_ERROR = 2
const NLMSG_DONE = 3

const HEADER_BYTES = 16
const ATTRIBUTE_HEADER_BYTES = 4
const NLMSGERR_ATTR_MSG = 1
/** Without the two bits that say how an attribute's value is written. */
const ATTRIBUTE_TYPE_MASK = 0x3fff
/** Of what the kernel says of a refusal in its own words. */
const SAID_CHARS_MAX = 200

export interface Message {
  readonly type: number
  readonly flags: number
  /** An answer has that of its question. */
  readonly sequence: number
  readonly body: Buffer
}

/** The last of several of one type counts, as it does in the kernel. */
export type Attributes = ReadonlyMap<number, Buffer>

const little = endianness() === 'LE'

export function u16(value: number): Buffer {
  return Buffer.from(Uint16Array.of(value).buffer)
}

export function u32(value: number): Buffer {
  return Buffer.from(Uint32Array.of(value).buffer)
}

function readU16(bytes: Buffer, at: number): number {
  return little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at)
}

export function readU32(bytes: Buffer, at: number): number {
  return little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at)
}

function readI32(bytes: Buffer, at: number): number {
  return readU32(bytes, at) | 0
}

/** Messages and attributes begin at multiples of four. */
function aligned(length: number): number {
  return (length + 3) & ~3
}

export function encodeMessage({ type, flags, sequence, body }: Message): Buffer {
  const length = HEADER_BYTES + body.length
  // The kernel knows who asks: the port stays 0.
  const head = [u32(length), u16(type), u16(flags), u32(sequence), u32(0)]
  return Buffer.concat([...head, body], aligned(length))
}

/** All messages of one datagram. Throws a sentence where it does not end as it says. */
export function decodeMessages(datagram: Buffer): readonly Message[] {
  const messages: Message[] = []
  for (let at = 0; at < datagram.length; ) {
    const left = datagram.length - at
    const length = left < HEADER_BYTES ? 0 : readU32(datagram, at)
    if (length < HEADER_BYTES || length > left) {
      throw new Error(`a message of ${length} bytes stands in the last ${left} of a datagram`)
    }
    messages.push({
      type: readU16(datagram, at + 4),
      flags: readU16(datagram, at + 6),
      sequence: readU32(datagram, at + 8),
      body: datagram.subarray(at + HEADER_BYTES, at + length),
    })
    at += aligned(length)
  }
  return messages
}

export function encodeAttribute(type: number, value: Buffer): Buffer {
  const length = ATTRIBUTE_HEADER_BYTES + value.length
  return Buffer.concat([u16(length), u16(type), value], aligned(length))
}

/** What stands in a body behind its fixed part. Throws a sentence where it is cut short. */
export function decodeAttributes(bytes: Buffer): Attributes {
  const found = new Map<number, Buffer>()
  for (let at = 0; at < bytes.length; ) {
    const left = bytes.length - at
    const length = left < ATTRIBUTE_HEADER_BYTES ? 0 : readU16(bytes, at)
    if (length < ATTRIBUTE_HEADER_BYTES || length > left) {
      throw new Error(`an attribute of ${length} bytes stands in the last ${left} of a message`)
    }
    const type = readU16(bytes, at + 2) & ATTRIBUTE_TYPE_MASK
    found.set(type, bytes.subarray(at + ATTRIBUTE_HEADER_BYTES, at + length))
    at += aligned(length)
  }
  return found
}

/** How a question ended: 0 where it was done, else the number of an error, as errno names it. */
interface Verdict {
  readonly errno: number
  /** What the kernel adds in its own words; empty where it adds nothing. */
  readonly said: string
}

/** Reads the end of an answer: `NLMSG_ERROR`, which also says that all is well, or `NLMSG_DONE`. */
function decodeVerdict({ type, flags, body }: Message): Verdict {
  if (body.length < 4) {
    // Kernels before 5.0 end some lists without a number.
    if (type === NLMSG_DONE) return { errno: 0, said: '' }
    throw new Error(`a verdict of ${body.length} bytes`)
  }
  const errno = 0 - readI32(body, 0)
  return { errno, said: flags & NLM_F_ACK_TLVS ? saidIn(type, flags, body) : '' }
}

function saidIn(type: number, flags: number, body: Buffer): string {
  // Behind the number of an error stands the question, or its header alone.
  const question = type === NLMSG_DONE ? 0 : HEADER_BYTES
  if (body.length < 4 + question) throw new Error('a verdict without its question')
  const whole = type === NLMSG_DONE || flags & NLM_F_CAPPED ? question : readU32(body, 4)
  const told = decodeAttributes(body.subarray(4 + aligned(whole))).get(NLMSGERR_ATTR_MSG)
  const text = told?.toString('latin1').replace(/[^\x20-\x7e]+/g, ' ') ?? ''
  return text.trim().slice(0, SAID_CHARS_MAX)
}

/** The answer to one question, as it comes in. */
export interface Answer {
  /** Takes the next datagram. Throws a sentence where it makes no sense. */
  take(datagram: Buffer): void
  /** What was told beside the verdict. */
  readonly messages: readonly Message[]
  /** Was the table the same all the while it was read out? */
  whole(): boolean
  /** How it ended; `undefined` while there is more to come. */
  verdict(): Verdict | undefined
}

/** Listens for the answer to one question; what belongs to another one is left out. */
export function answerTo(sequence: number): Answer {
  const messages: Message[] = []
  let whole = true
  let verdict: Verdict | undefined
  return {
    messages,
    whole: () => whole,
    verdict: () => verdict,
    take(datagram) {
      for (const message of decodeMessages(datagram)) {
        const { type, flags } = message
        if (message.sequence !== sequence || type === NLMSG_NOOP || verdict !== undefined) continue
        if (flags & NLM_F_DUMP_INTR) whole = false
        if (type === NLMSG_ERROR || type === NLMSG_DONE) verdict = decodeVerdict(message)
        else messages.push(message)
      }
    },
  }
}
