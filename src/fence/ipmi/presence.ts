/**
 * Who is there, where Open Session is not answered: nobody, a BMC that knows IPMI 1.5 only, or one
 * that has no time for us. Asked only then; a login that succeeds does not need it.
 *
 * @see IPMI 2.0 revision 1.1: 13.6 (packets of IPMI 1.5), 22.13 (Get Channel Authentication
 * Capabilities).
 */
import { FenceError } from '../errors.ts'
import { exchange, type Line } from './line.ts'
import { type Answer, commands, parseAnswer, requestOf } from './message.ts'

const rmcp = [0x06, 0x00, 0xff, 0x07]
/** No authentication, no number, no session: nine zeros, then the length. */
const HEADER_BYTES = 14
const TURN = 1
/** This channel (14), with the capabilities of IPMI 2.0, for an operator. */
const asked = Buffer.from([0x8e, 3])
const WAIT_MS = 400

/** The failure that fits what answers there. */
export async function whoIsThere(line: Line): Promise<FenceError> {
  const packet = presenceRequest()
  const answer = await exchange(line, {
    send: () => line.port.send(packet, 'question'),
    gapsMs: [WAIT_MS],
    read: parsePresence,
  })
  if (answer === undefined) {
    return new FenceError('unreachable', 'nothing answers there, not even before the login')
  }
  if (speaksVersion2(answer)) {
    return new FenceError('dropped', 'it is there, and does not answer the login')
  }
  const mend = 'update its firmware; IPMI 1.5 does not encrypt and is not supported'
  return new FenceError('cipher', 'it speaks IPMI 1.5 only', mend)
}

/** A packet of IPMI 1.5 without a session. */
export function presenceRequest(): Buffer {
  const message = requestOf(commands.authCapabilities, TURN, asked)
  return Buffer.concat([Buffer.from([...rmcp, ...Array(9).fill(0), message.length]), message])
}

/** The answer to it; `undefined` for any other packet. */
export function parsePresence(packet: Buffer): Answer | undefined {
  const isOld = packet.length > HEADER_BYTES && packet[0] === rmcp[0] && packet[3] === rmcp[3]
  if (!isOld || packet[4] !== 0) return undefined
  const message = packet.subarray(HEADER_BYTES)
  if (packet[HEADER_BYTES - 1] !== message.length) {
    throw new FenceError('garbled', 'a packet of IPMI 1.5 has another length than it says')
  }
  return parseAnswer(commands.authCapabilities, TURN, message)
}

/** The second byte says that there are extended capabilities, the fourth that 2.0 is among them. */
function speaksVersion2({ code, data }: Answer): boolean {
  return code === 0 && ((data[1] ?? 0) & 0x80) !== 0 && ((data[3] ?? 0) & 0x02) !== 0
}
