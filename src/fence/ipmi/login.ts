/**
 * The login: from nothing to the keys of a session, over Open Session and RAKP 1 to 4.
 *
 * The password goes into HMACs and never into a packet. The BMC has to prove first that it knows
 * it, so that an impostor learns nothing but what any BMC tells by the protocol.
 */
import { randomBytes, randomInt } from 'node:crypto'
import { FenceError } from '../errors.ts'
import { loginError } from './codes.ts'
import {
  BY_NAME,
  openRequest,
  parseOpened,
  parseRakp2,
  parseRakp4,
  parseReply,
  type Reply,
  type Role,
  rakp1,
  rakp3,
  refusal,
  roles,
} from './handshake.ts'
import { exchange, GAPS_MS, type Line } from './line.ts'
import { openPacket, parseOpenPacket, payloads } from './packet.ts'
import { whoIsThere } from './presence.ts'
import {
  checkOfBmc,
  codeOfBmc,
  codeOfConsole,
  type Keys,
  keysOf,
  type Login,
  type SuiteId,
  sameCode,
  sessionKey,
  suites,
} from './suite.ts'

export interface Credentials {
  readonly user: string
  readonly password: string
  readonly role: Role
}

/** A login that has come through. */
export interface Accepted {
  readonly keys: Keys
  readonly consoleId: number
  readonly bmcId: number
}

/** Logs in. Every failure is a FenceError, and none of them has touched the power. */
export async function logIn(
  line: Line,
  { user, password, role }: Credentials,
  suiteId: SuiteId,
): Promise<Accepted> {
  const suite = suites[suiteId]
  // Zero is what a BMC sends to nobody in particular.
  const consoleId = randomInt(1, 2 ** 32)
  const firstTag = randomInt(256)
  const tagOf = (step: number): number => (firstTag + step) % 256

  const opened = await step(line, {
    request: [payloads.openRequest, openRequest(tagOf(0), role, consoleId, suite)],
    response: payloads.openResponse,
    mine: { tag: tagOf(0), consoleId },
    read: (reply) => ({ bmcId: parseOpened(reply, suite) }),
  })
  // Silence so far may be another box, or none at all.
  if (opened === undefined) throw await whoIsThere(line)

  const { bmcId } = opened
  const asked = {
    bmcId,
    consoleRandom: randomBytes(16),
    role: roles[role] | BY_NAME,
    user: Buffer.from(user),
  }
  const introduced = await step(line, {
    request: [payloads.rakp1, rakp1(tagOf(1), asked)],
    response: payloads.rakp2,
    mine: { tag: tagOf(1), consoleId },
    read: (reply) => parseRakp2(reply, suite),
  })
  if (introduced === undefined) throw fellSilent()
  const login = { ...asked, ...introduced, suite, consoleId, password: Buffer.from(password) }
  if (!sameCode(introduced.code, codeOfBmc(login))) {
    line.port.send(openPacket(payloads.rakp3, refusal(tagOf(2), bmcId)), 'question')
    throw new FenceError('auth', 'the BMC knows the user, but with another password')
  }
  return await prove(line, login, tagOf(2))
}

/** RAKP 3 and 4: we prove that we know the password, and both sides that they have one key. */
async function prove(line: Line, login: Login, tag: number): Promise<Accepted> {
  const { suite, consoleId, bmcId } = login
  const check = await step(line, {
    request: [payloads.rakp3, rakp3(tag, bmcId, codeOfConsole(login))],
    response: payloads.rakp4,
    mine: { tag, consoleId },
    read: (reply) => parseRakp4(reply, suite),
  })
  if (check === undefined) throw fellSilent()
  const key = sessionKey(login)
  if (!sameCode(check, checkOfBmc(login, key))) {
    const mend = 'if the BMC has a K_g key, take it away'
    throw new FenceError('auth', 'it knows the password, and makes another key of it', mend)
  }
  return { keys: keysOf(login, key), consoleId, bmcId }
}

interface Step<T> {
  readonly request: readonly [type: number, payload: Buffer]
  readonly response: number
  readonly mine: { readonly tag: number; readonly consoleId: number }
  readonly read: (reply: Reply) => T
}

/** One question of the login. `undefined` when nothing came back. */
function step<T>(
  line: Line,
  { request: [type, payload], response, mine, read }: Step<T>,
): Promise<T | undefined> {
  const packet = openPacket(type, payload)
  return exchange<T>(line, {
    send: () => line.port.send(packet, 'question'),
    gapsMs: GAPS_MS,
    read(answer) {
      const open = parseOpenPacket(answer)
      if (open?.type !== response) return undefined
      const reply = parseReply(open.payload)
      if (reply.tag !== mine.tag) return undefined
      if (reply.status !== 0) throw loginError(reply.status)
      if (reply.consoleId !== mine.consoleId) return undefined
      return read(reply)
    },
  })
}

function fellSilent(): FenceError {
  return new FenceError('dropped', 'it fell silent during the login')
}
