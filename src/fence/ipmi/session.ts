/**
 * A session with a BMC: logs in, asks one thing after the other, and is always closed.
 *
 * Questions may be sent again freely. A command that touches the power is sent again as the very
 * same packet: a BMC that has had it drops the copy by its sequence number, one that does not look
 * at the number is told once more to become what it is, and once the session is closed no copy
 * counts any more. What fails after the first one has left is never a failure that is called inert.
 */
import { randomBytes } from 'node:crypto'
import { FenceError } from '../errors.ts'
import type { Wire } from '../wire.ts'
import { completionError, loginError, UNAUTHORIZED_ROLE } from './codes.ts'
import { roles } from './handshake.ts'
import { exchange, GAPS_MS, type Line } from './line.ts'
import { type Accepted, type Credentials, logIn } from './login.ts'
import { type Answer, type Command, commands, parseAnswer, requestOf } from './message.ts'
import { sealPacket, unsealPacket } from './packet.ts'
import type { SuiteId } from './suite.ts'

export interface Target extends Credentials {
  readonly host: string
  readonly port: number
  readonly suite: SuiteId
}

export interface Session {
  /** Asks what changes nothing. Throws `dropped` where no answer comes. */
  ask(command: Command, data?: Buffer, gapsMs?: readonly number[]): Promise<Answer>
  /** Sends what changes the power. Throws `timeout` once it has left and no answer is known. */
  press(command: Command, data: Buffer): Promise<Answer>
  /** Is it certain that the BMC listens to this session no more? */
  close(): Promise<boolean>
}

/** A switch takes longer than a look, and its answer is the dearest one to miss. */
const PRESS_GAPS_MS = [400, 600, 1_000]
/** A short wait: closing holds up what has been found out already. */
const CLOSE_GAPS_MS = [150, 150]

/** Opens a session, does the work in it, and closes it whatever becomes of the work. */
export async function withSession<T>(
  wire: Wire,
  target: Target,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const port = await wire.datagrams({ host: target.host, port: target.port })
  const line = { wire, port }
  try {
    const session = openSession(line, await logIn(line, target, target.suite))
    try {
      await grant(session, target)
      return await work(session)
    } finally {
      await session.close()
    }
  } finally {
    port.close()
  }
}

/** A session begins with the rights of a user; what we were promised has to be taken. */
async function grant(session: Session, { role }: Credentials): Promise<void> {
  const { code } = await session.ask(commands.setPrivilege, Buffer.from([roles[role]]))
  // 0x80 and 0x81 of this command: above what the user, or the channel, may have.
  if (code === 0x80 || code === 0x81) throw loginError(UNAUTHORIZED_ROLE)
  if (code !== 0) throw completionError(code)
}

function openSession(line: Line, { keys, consoleId, bmcId }: Accepted): Session {
  let sequence = 0
  let turn = 0
  let closed: Promise<boolean> | undefined

  const seal = (message: Buffer): Buffer => {
    sequence += 1
    return sealPacket(keys, { sessionId: bmcId, sequence }, message, randomBytes(16))
  }
  /** A question with a number of its own: no old answer fits it. */
  const prepare = (command: Command, data: Buffer) => {
    turn = (turn + 1) % 64
    const own = turn
    const read = (packet: Buffer): Answer | undefined => {
      const message = unsealPacket(keys, consoleId, packet)
      return message && parseAnswer(command, own, message)
    }
    return { request: requestOf(command, own, data), read }
  }

  async function ask(command: Command, data = Buffer.alloc(0), gapsMs = GAPS_MS) {
    const { request, read } = prepare(command, data)
    const send = (): void => line.port.send(seal(request), 'question')
    const answer = await exchange(line, { send, gapsMs, read })
    if (answer === undefined) throw new FenceError('dropped', 'it fell silent in the session')
    return answer
  }

  async function press(command: Command, data: Buffer): Promise<Answer> {
    const { request, read } = prepare(command, data)
    const packet = seal(request)
    let sent = 0
    const send = (): void => {
      line.port.send(packet, 'command')
      sent += 1
    }
    try {
      const answer = await exchange(line, { send, gapsMs: PRESS_GAPS_MS, read })
      if (answer === undefined) throw new FenceError('timeout', unanswered)
      // A no to a copy may come from a BMC that has said yes to the first one.
      if (sent > 1 && answer.code !== 0) throw new FenceError('timeout', refusedCopy)
      return answer
    } catch (error) {
      if (sent === 0 || !(error instanceof FenceError)) throw error
      if (error.failure === 'garbled') throw new FenceError('timeout', unreadable)
      throw error.inert ? new FenceError('timeout', unanswered) : error
    }
  }

  return {
    ask,
    press,
    close() {
      const data = Buffer.alloc(4)
      data.writeUInt32LE(bmcId)
      closed ??= ask(commands.closeSession, data, CLOSE_GAPS_MS).then(
        ({ code }) => code === 0,
        () => false,
      )
      return closed
    },
  }
}

const unanswered = 'the BMC took the session, and did not answer the command'
const unreadable = 'what came back for the command cannot be read'
const refusedCopy = 'the BMC refused a copy of the command, and may have carried out the first one'
