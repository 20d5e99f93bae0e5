/**
 * The messages of a login, to and from bytes: Open Session agrees on the algorithms and numbers the
 * session, RAKP 1 and 2 exchange random numbers and let the BMC prove that it knows the password,
 * RAKP 3 and 4 let us prove it and settle the key.
 *
 * @see IPMI 2.0 revision 1.1: 13.17 and 13.18 (Open Session), 13.20 to 13.23 (RAKP).
 */
import { FenceError } from '../errors.ts'
import type { Suite } from './suite.ts'

export const roles = { user: 2, operator: 3, administrator: 4 } as const

export type Role = keyof typeof roles

/** Look the user up by the name alone: the level asked for need not be the highest of the user. */
export const BY_NAME = 0x10

/** AES-CBC-128. */
const ENCRYPTION = 1
const RANDOM_BYTES = 16
const GUID_BYTES = 16
/** The BMC's number of the session, and a record of eight bytes for each algorithm. */
const OPENED_BYTES = 4 + 3 * 8

/** What the three answers of a login have in common. */
export interface Reply {
  readonly tag: number
  /** 0 when the login goes on. */
  readonly status: number
  /** Our number of the session, which the BMC repeats, but for some when they refuse. */
  readonly consoleId: number | undefined
  readonly rest: Buffer
}

/** Reads what all answers of a login begin with; a refusal may end after its status. */
export function parseReply(payload: Buffer): Reply {
  const [tag, status] = payload
  if (tag === undefined || status === undefined || (status === 0 && payload.length < 8)) {
    throw new FenceError('garbled', `an answer of ${payload.length} bytes in the login`)
  }
  const consoleId = payload.length < 8 ? undefined : payload.readUInt32LE(4)
  return { tag, status, consoleId, rest: payload.subarray(8) }
}

/** Asks for a session with the algorithms of one suite, and nothing else. */
export function openRequest(tag: number, role: Role, consoleId: number, suite: Suite): Buffer {
  const head = Buffer.from([tag, roles[role], 0, 0, 0, 0, 0, 0])
  head.writeUInt32LE(consoleId, 4)
  return Buffer.concat([head, algorithmsOf(suite)])
}

/**
 * The BMC's number of the session. Throws where it answers with other algorithms than those asked
 * for: a weaker one is not accepted.
 */
export function parseOpened({ rest }: Reply, { authentication, integrity }: Suite): number {
  if (rest.length < OPENED_BYTES) {
    throw new FenceError('garbled', 'its answer to Open Session is too short')
  }
  // Beside the numbers stand reserved bits, and BMCs differ in what they write there.
  const agreed = [8, 16, 24].map((at) => rest.readUInt8(at) & 0x3f)
  if (agreed.join() !== [authentication, integrity, ENCRYPTION].join()) {
    throw new FenceError('cipher', 'the BMC answers with another cipher suite than asked for')
  }
  return rest.readUInt32LE(0)
}

/** Three records of eight bytes: kind, length, number. */
function algorithmsOf({ authentication, integrity }: Suite): Buffer {
  const numbers = [authentication, integrity, ENCRYPTION]
  return Buffer.from(numbers.flatMap((number, kind) => [kind, 0, 0, 8, number, 0, 0, 0]))
}

export interface Introduction {
  readonly bmcId: number
  readonly consoleRandom: Buffer
  readonly role: number
  readonly user: Buffer
}

export function rakp1(tag: number, { bmcId, consoleRandom, role, user }: Introduction): Buffer {
  const end = Buffer.from([role, 0, 0, user.length])
  return Buffer.concat([headOf(tag, 0, bmcId), consoleRandom, end, user])
}

export interface Introduced {
  readonly bmcRandom: Buffer
  readonly guid: Buffer
  /** Proves that the BMC knows the password, once it has been compared. */
  readonly code: Buffer
}

export function parseRakp2({ rest }: Reply, { hashBytes }: Suite): Introduced {
  const codeAt = RANDOM_BYTES + GUID_BYTES
  if (rest.length !== codeAt + hashBytes) {
    throw new FenceError('garbled', `RAKP 2 has ${rest.length} bytes where it needs others`)
  }
  return {
    bmcRandom: rest.subarray(0, RANDOM_BYTES),
    guid: rest.subarray(RANDOM_BYTES, codeAt),
    code: rest.subarray(codeAt),
  }
}

export function rakp3(tag: number, bmcId: number, code: Buffer): Buffer {
  return Buffer.concat([headOf(tag, 0, bmcId), code])
}

/** Ends a login that we do not believe in, so that the BMC need not keep a place for it. */
export function refusal(tag: number, bmcId: number): Buffer {
  return headOf(tag, 0x0f, bmcId)
}

/** The code of RAKP 4. */
export function parseRakp4({ rest }: Reply, { tagBytes }: Suite): Buffer {
  if (rest.length !== tagBytes) {
    throw new FenceError('garbled', `RAKP 4 has a code of ${rest.length} bytes`)
  }
  return rest
}

function headOf(tag: number, status: number, bmcId: number): Buffer {
  const head = Buffer.from([tag, status, 0, 0, 0, 0, 0, 0])
  head.writeUInt32LE(bmcId, 4)
  return head
}
