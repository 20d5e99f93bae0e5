/**
 * The cipher suites of RMCP+ that we speak, and every code and key that follows from a login.
 *
 * All of it are HMACs over what both sides have told each other, keyed with the password or with
 * what was made of it. Nothing here sends or keeps anything.
 *
 * @see IPMI 2.0 revision 1.1: 13.28 (algorithms), 13.31 and 13.32 (RAKP and its keys), 22.15.2.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

export interface Suite {
  /** The numbers by which the two sides name the algorithms; the encryption is always AES (1). */
  readonly authentication: number
  readonly integrity: number
  readonly hash: 'sha1' | 'md5' | 'sha256'
  /** How long a whole hash is: the code in RAKP 2. */
  readonly hashBytes: number
  /** How much of a hash ends each sealed packet, and proves the BMC in RAKP 4. */
  readonly tagBytes: number
}

/** HMAC-MD5-128 instead of the plain MD5-128 is the only difference between 8 and 12. */
const plainMd5 = 3

/** Suites that authenticate and encrypt; 0 to 2 and their like open a BMC to everybody. */
export const suites = {
  3: { authentication: 1, integrity: 1, hash: 'sha1', hashBytes: 20, tagBytes: 12 },
  8: { authentication: 2, integrity: 2, hash: 'md5', hashBytes: 16, tagBytes: 16 },
  12: { authentication: 2, integrity: plainMd5, hash: 'md5', hashBytes: 16, tagBytes: 16 },
  17: { authentication: 3, integrity: 4, hash: 'sha256', hashBytes: 32, tagBytes: 16 },
} as const satisfies Record<number, Suite>

export type SuiteId = keyof typeof suites

/** What a login is made of, on whichever side: both compute the same from it. */
export interface Login {
  readonly suite: Suite
  readonly password: Buffer
  readonly user: Buffer
  /** The privilege level asked for, with the bit that says how the user is looked up. */
  readonly role: number
  readonly consoleId: number
  readonly bmcId: number
  /** 16 random bytes of each side. */
  readonly consoleRandom: Buffer
  readonly bmcRandom: Buffer
  /** 16 bytes. */
  readonly guid: Buffer
}

/** What a session is sealed with. */
export interface Keys {
  readonly suite: Suite
  /** Codes the packets. Derived from the login, but for the suite that takes the password. */
  readonly integrity: Buffer
  /** 16 bytes for AES. */
  readonly encryption: Buffer
}

/** The code of RAKP 2: who sends it knows the password. */
export function codeOfBmc(login: Login): Buffer {
  const { suite, password, consoleId, bmcId, consoleRandom, bmcRandom, guid } = login
  const said = [number32(consoleId), number32(bmcId), consoleRandom, bmcRandom, guid]
  return hmac(suite, password, [...said, ...whoAsks(login)])
}

/** The code of RAKP 3: we know it too. */
export function codeOfConsole(login: Login): Buffer {
  const { suite, password, consoleId, bmcRandom } = login
  return hmac(suite, password, [bmcRandom, number32(consoleId), ...whoAsks(login)])
}

/** The session key, from which the others are made. A BMC without a K_g takes the password here. */
export function sessionKey(login: Login): Buffer {
  const { suite, password, consoleRandom, bmcRandom } = login
  return hmac(suite, password, [consoleRandom, bmcRandom, ...whoAsks(login)])
}

/** The code of RAKP 4: the BMC has come to the same session key. */
export function checkOfBmc(login: Login, key: Buffer): Buffer {
  const { suite, consoleRandom, bmcId, guid } = login
  const whole = hmac(suite, key, [consoleRandom, number32(bmcId), guid])
  return whole.subarray(0, suite.tagBytes)
}

/** The keys of the session. The constants have 20 bytes whatever the length of the hash. */
export function keysOf({ suite, password }: Login, key: Buffer): Keys {
  return {
    suite,
    integrity: suite.integrity === plainMd5 ? password : hmac(suite, key, [Buffer.alloc(20, 1)]),
    encryption: hmac(suite, key, [Buffer.alloc(20, 2)]).subarray(0, 16),
  }
}

/** The code that ends a sealed packet. */
export function tagOf({ suite, integrity }: Keys, covered: Buffer): Buffer {
  if (suite.integrity === plainMd5) {
    // The password as the BMC stores it: 20 bytes, filled up with zeros.
    const padded = Buffer.concat([integrity, Buffer.alloc(20)], 20)
    const whole = createHash('md5').update(padded).update(covered).update(padded)
    return whole.digest().subarray(0, suite.tagBytes)
  }
  return hmac(suite, integrity, [covered]).subarray(0, suite.tagBytes)
}

/** Compares codes without telling by the time it takes how far they agree. */
export function sameCode(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

function whoAsks({ role, user }: Login): Buffer[] {
  return [Buffer.from([role, user.length]), user]
}

function hmac({ hash }: Suite, key: Buffer, parts: readonly Buffer[]): Buffer {
  return createHmac(hash, key).update(Buffer.concat(parts)).digest()
}

function number32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
