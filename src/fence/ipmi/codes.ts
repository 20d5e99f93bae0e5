/**
 * What a BMC says when it does not do something, as failures that a person and the core can act on.
 *
 * A code that leaves open whether a command was carried out must not become a failure that is
 * called inert: then the core would not count on a late effect.
 *
 * @see IPMI 2.0 revision 1.1: table 5-2 (completion codes), table 13-15 (status of a login).
 */
import { FenceError, type FenceFailure } from '../errors.ts'

/** What mends a lack of rights. */
export const raiseLimit = 'raise the privilege limit of the user on this channel to OPERATOR'

interface Meaning {
  readonly failure: FenceFailure
  readonly says: string
  readonly mend?: string
}

/** Completion codes that mean more than "no". */
const completions: ReadonlyMap<number, Meaning> = new Map([
  [0xc0, { failure: 'busy', says: 'Node busy' }],
  [0xc1, { failure: 'refused', says: 'Invalid command' }],
  [0xc3, { failure: 'timeout', says: 'Timeout' }],
  [0xc4, { failure: 'busy', says: 'Out of space' }],
  [0xc7, { failure: 'refused', says: 'Request data length invalid' }],
  [0xcc, { failure: 'refused', says: 'Invalid data field in request' }],
  [0xce, { failure: 'timeout', says: 'Response could not be provided' }],
  [0xcf, { failure: 'timeout', says: 'Cannot execute duplicated request' }],
  [0xd0, { failure: 'busy', says: 'SDR repository in update mode' }],
  [0xd1, { failure: 'busy', says: 'Device in firmware update mode' }],
  [0xd2, { failure: 'busy', says: 'BMC initialization in progress' }],
  [0xd4, { failure: 'privilege', says: 'Insufficient privilege level', mend: raiseLimit }],
  [0xd5, { failure: 'refused', says: 'Command not supported in present state' }],
  [0xd6, { failure: 'privilege', says: 'Command disabled', mend: 'allow it in the BMC' }],
  [0xff, { failure: 'refused', says: 'Unspecified error' }],
])

/** "Cannot do it in the present state": some BMCs do not become what they are already. */
export const NOT_IN_THIS_STATE = 0xd5

/** Why a command was not carried out. */
export function completionError(code: number): FenceError {
  const { failure, says, mend }: Meaning = completions.get(code) ?? {
    failure: 'refused',
    says: `completion code 0x${code.toString(16).padStart(2, '0')}`,
  }
  return new FenceError(failure, `"${says}"`, mend)
}

const noSlot: Meaning = { failure: 'busy', says: 'it has no room for one more session' }
const noSuite: Meaning = { failure: 'cipher', says: 'the BMC does not know this cipher suite' }
const noSession: Meaning = { failure: 'dropped', says: 'it forgot the login half-way' }
const noRole: Meaning = {
  failure: 'privilege',
  says: 'the BMC does not grant this user the privilege level that we ask for',
  mend: raiseLimit,
}
const noUser: Meaning = { failure: 'user', says: 'the BMC lets no such user in over the network' }

/** The level asked for is above what the user may have. */
export const UNAUTHORIZED_ROLE = 0x0a

const refusals: ReadonlyMap<number, Meaning> = new Map([
  [0x01, noSlot],
  [0x02, noSession],
  [0x04, noSuite],
  [0x05, noSuite],
  [0x06, noSuite],
  [0x07, noSuite],
  [0x08, noSession],
  [0x09, noRole],
  [UNAUTHORIZED_ROLE, noRole],
  [0x0b, noSlot],
  [0x0c, noUser],
  [0x0d, noUser],
  // The password was proven right before: what it cannot check belongs to another attempt.
  [0x0f, noSession],
  [0x10, noSuite],
  [0x11, noSuite],
])

/** Why a login was refused. */
export function loginError(status: number): FenceError {
  const meaning = refusals.get(status)
  if (meaning !== undefined) return new FenceError(meaning.failure, meaning.says, meaning.mend)
  return new FenceError('refused', `it ended the login with status ${status}`)
}
