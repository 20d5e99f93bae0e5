/**
 * The messages inside the packets: a command with its network function and a number that the answer
 * repeats, each half with a checksum.
 *
 *   request:  20 netFn<<2 sum | 81 number<<2 command data... sum
 *   answer:   81 netFn<<2 sum | 20 number<<2 command code data... sum
 *
 * @see IPMI 2.0 revision 1.1: 13.8 (LAN messages), appendix G (command numbers).
 */
import { FenceError } from '../errors.ts'

/** The addresses of the BMC and of a program that speaks to it over the network. */
const BMC = 0x20
const CONSOLE = 0x81
const ANSWER_MIN_BYTES = 8

/** A command by its network function and number. */
export interface Command {
  readonly netFn: number
  readonly number: number
}

/** The commands that fencing needs. */
export const commands = {
  chassisStatus: { netFn: 0x00, number: 0x01 },
  chassisControl: { netFn: 0x00, number: 0x02 },
  systemGuid: { netFn: 0x06, number: 0x37 },
  authCapabilities: { netFn: 0x06, number: 0x38 },
  setPrivilege: { netFn: 0x06, number: 0x3b },
  closeSession: { netFn: 0x06, number: 0x3c },
} as const satisfies Record<string, Command>

export interface Answer {
  /** 0 when the BMC did what it was asked. */
  readonly code: number
  readonly data: Buffer
}

/** Builds a request. `turn` is a number below 64 by which its answer is known. */
export function requestOf({ netFn, number }: Command, turn: number, data: Buffer): Buffer {
  const head = [BMC, netFn << 2]
  const tail = [CONSOLE, turn << 2, number, ...data]
  return Buffer.from([...head, sumOf(head), ...tail, sumOf(tail)])
}

/**
 * The answer to that request; `undefined` for the answer to another one. Throws a FenceError
 * (`garbled`) for what is no answer at all.
 */
export function parseAnswer(command: Command, turn: number, message: Buffer): Answer | undefined {
  if (message.length < ANSWER_MIN_BYTES) {
    throw new FenceError('garbled', `an answer of ${message.length} bytes is too short`)
  }
  // Added up with its checksum, each half is zero.
  if (sumOf(message.subarray(0, 3)) !== 0 || sumOf(message.subarray(3)) !== 0) {
    throw new FenceError('garbled', 'an answer has a wrong checksum')
  }
  const isOurs =
    message.readUInt8(0) === CONSOLE &&
    message.readUInt8(1) >> 2 === (command.netFn | 1) &&
    message.readUInt8(4) >> 2 === turn &&
    message.readUInt8(5) === command.number
  if (!isOurs) return undefined
  return { code: message.readUInt8(6), data: message.subarray(7, -1) }
}

function sumOf(bytes: Iterable<number>): number {
  let sum = 0
  for (const byte of bytes) sum += byte
  return -sum & 0xff
}
