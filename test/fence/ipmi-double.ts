/**
 * A BMC for what the real `ipmi_sim` cannot be brought to say: cipher suites that it does not know,
 * refusals at every step of the login, and any answer to a command.
 *
 * Codes and packets come from our own functions, which would prove nothing by itself: that they are
 * those of IPMI 2.0 is shown where the real `ipmitool` logs in here.
 */
import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import {
  openPacket,
  parseOpenPacket,
  payloads,
  sealPacket,
  unsealPacket,
} from '../../src/fence/ipmi/packet.ts'
import {
  checkOfBmc,
  codeOfBmc,
  codeOfConsole,
  type Keys,
  keysOf,
  type Login,
  sessionKey,
  suites,
} from '../../src/fence/ipmi/suite.ts'
import { admin, guid } from './ipmi-sim.ts'

/** A request as it came in, by the number of its command. */
export interface Request {
  readonly netFn: number
  readonly command: number
  readonly data: Buffer
}

/** Completion code and data. */
export type Said = readonly number[]

export interface Manners {
  readonly suite?: keyof typeof suites
  readonly password?: string
  /** The suite that it says has been agreed on. */
  readonly agrees?: keyof typeof suites
  /** The status of a login's step, where it is not 0. */
  readonly status?: Partial<Record<'open' | 'rakp1' | 'rakp3', number>>
  /** What it says to a command; `silent` for nothing, `undefined` for what a BMC would say. */
  readonly say?: (request: Request) => Said | 'silent' | undefined
  /** Answers only what came with IPMI 1.5. */
  readonly old?: boolean
  /** Answers nothing at all. */
  readonly mute?: boolean
  /** Another key than the password for what follows the login. */
  readonly kg?: string
}

export interface Double {
  readonly port: number
  power: 'on' | 'off'
  manners: Manners
  /** Everything that came in, oldest first. */
  readonly packets: Buffer[]
  /** The commands in them. */
  readonly requests: Request[]
  close(): Promise<void>
}

interface State {
  login: Login
  keys: Keys | undefined
  sequence: number
}

/** Starts one that behaves, power on. */
export async function startDouble(manners: Manners = {}): Promise<Double> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  const double: Double = {
    port: socket.address().port,
    power: 'on',
    manners,
    packets: [],
    requests: [],
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  }
  // One console at a time is enough.
  const state: State = { login: emptyLogin(), keys: undefined, sequence: 0 }
  socket.on('message', (packet, { port }) => {
    double.packets.push(packet)
    const answer = answerOf(double, state, packet)
    if (answer !== undefined) send(socket, answer, port)
  })
  return double
}

function send(socket: Socket, packet: Buffer, port: number): void {
  socket.send(packet, port, '127.0.0.1')
}

function emptyLogin(): Login {
  return {
    suite: suites[17],
    password: Buffer.from(admin.password),
    user: Buffer.alloc(0),
    role: 0,
    consoleId: 0,
    bmcId: 0x01020304,
    consoleRandom: Buffer.alloc(16),
    bmcRandom: Buffer.alloc(16),
    guid: Buffer.from(guid, 'hex'),
  }
}

function answerOf(double: Double, state: State, packet: Buffer): Buffer | undefined {
  if (double.manners.mute) return undefined
  if (packet[4] === 0) return capabilities(double, packet)
  if (double.manners.old) return undefined
  const open = parseOpenPacket(packet)
  if (open !== undefined) return loginAnswer(double.manners, state, open.type, open.payload)
  if (state.keys === undefined) return undefined
  const message = unsealPacket(state.keys, state.login.bmcId, packet)
  return message && commandAnswer(double, state, message)
}

/** Get Channel Authentication Capabilities, in a packet of IPMI 1.5. */
function capabilities({ manners }: Double, packet: Buffer): Buffer {
  const message = packet.subarray(14)
  const data = manners.old ? [0, 1, 0x16, 0, 0, 0, 0, 0, 0] : [0, 1, 0x96, 0, 2, 0, 0, 0, 0]
  const answer = messageOf(message, data)
  return Buffer.concat([packet.subarray(0, 13), Buffer.from([answer.length]), answer])
}

function loginAnswer(
  { suite = 17, password = admin.password, status = {}, kg = password, agrees }: Manners,
  state: State,
  type: number,
  payload: Buffer,
): Buffer | undefined {
  const tag = payload.readUInt8(0)
  const reply = (kind: number, code: number, rest: Buffer): Buffer => {
    const head = Buffer.from([tag, code, 0, 0, 0, 0, 0, 0])
    head.writeUInt32LE(state.login.consoleId, 4)
    return openPacket(kind, code === 0 ? Buffer.concat([head, rest]) : head)
  }
  const bmcId = Buffer.alloc(4)
  bmcId.writeUInt32LE(state.login.bmcId)
  if (type === payloads.openRequest) {
    const fits = payload.readUInt8(12) === suites[suite].authentication
    state.keys = undefined
    const consoleId = payload.readUInt32LE(4)
    const known = { suite: suites[suite], password: Buffer.from(password) }
    state.login = { ...emptyLogin(), ...known, consoleId }
    const code = status.open ?? (fits ? 0 : 0x04)
    const records = Buffer.from(payload.subarray(8, 32))
    if (agrees !== undefined) {
      records[4] = suites[agrees].authentication
      records[12] = suites[agrees].integrity
    }
    return reply(payloads.openResponse, code, Buffer.concat([bmcId, records]))
  }
  if (type === payloads.rakp1) {
    const consoleRandom = payload.subarray(8, 24)
    const user = payload.subarray(28, 28 + payload.readUInt8(27))
    const role = payload.readUInt8(24)
    state.login = { ...state.login, consoleRandom, role, user, bmcRandom: randomBytes(16) }
    const { bmcRandom, guid } = state.login
    const rest = Buffer.concat([bmcRandom, guid, codeOfBmc(state.login)])
    return reply(payloads.rakp2, status.rakp1 ?? 0, rest)
  }
  if (type !== payloads.rakp3 || payload.readUInt8(1) !== 0) return undefined
  if (!payload.subarray(8).equals(codeOfConsole(state.login))) {
    return reply(payloads.rakp4, 0x0f, Buffer.alloc(0))
  }
  const key = sessionKey({ ...state.login, password: Buffer.from(kg) })
  state.keys = keysOf(state.login, key)
  return reply(payloads.rakp4, status.rakp3 ?? 0, checkOfBmc(state.login, key))
}

function commandAnswer(double: Double, state: State, message: Buffer): Buffer | undefined {
  const request = {
    netFn: message.readUInt8(1) >> 2,
    command: message.readUInt8(5),
    data: message.subarray(6, -1),
  }
  double.requests.push(request)
  const said = double.manners.say?.(request) ?? usual(double, request)
  if (said === 'silent' || state.keys === undefined) return undefined
  state.sequence += 1
  const envelope = { sessionId: state.login.consoleId, sequence: state.sequence }
  return sealPacket(state.keys, envelope, messageOf(message, said), randomBytes(16))
}

/** What a BMC in its right mind says. */
function usual(double: Double, { netFn, command, data }: Request): Said {
  if (netFn === 0 && command === 1) return [0, double.power === 'on' ? 0x21 : 0x20, 0, 0]
  if (netFn === 0 && command === 2) {
    double.power = data[0] === 0 ? 'off' : 'on'
    return [0]
  }
  if (netFn !== 6) return [0xc1]
  if (command === 0x37) return [0, ...Buffer.from(guid, 'hex')]
  if (command === 0x3b) return [0, data[0] ?? 0]
  return command === 0x3c ? [0] : [0xc1]
}

/** The answer to a message, with its checksums. */
function messageOf(request: Buffer, said: Said): Buffer {
  const sum = (bytes: readonly number[]) => -bytes.reduce((a, b) => a + b, 0) & 0xff
  const head = [0x81, ((request.readUInt8(1) >> 2) | 1) << 2]
  const tail = [0x20, request.readUInt8(4), request.readUInt8(5), ...said]
  return Buffer.from([...head, sum(head), ...tail, sum(tail)])
}
