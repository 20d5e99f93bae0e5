/**
 * A bad network between a client and a BMC: sees every datagram, and decides what becomes of it.
 *
 * Packets are only looked at from outside, as anybody on that network could.
 */
import { createSocket, type Socket } from 'node:dgram'

export interface Passing {
  readonly packet: Buffer
  readonly to: 'bmc' | 'client'
  /** The login or the question it belongs to, counted from 0. */
  readonly request: number
  /** How many packets went in this direction before. */
  readonly index: number
}

/** What is delivered instead of a packet, in this order; after a while if it is a promise. */
export type Rule = (passing: Passing) => readonly Buffer[] | Promise<readonly Buffer[]>

export interface BadNetwork {
  readonly port: number
  /** Where packets go; may be changed. */
  bmcPort: number
  rule: Rule
  /** Every packet that a client has sent, and every answer. */
  readonly sent: Buffer[]
  readonly answered: Buffer[]
  requests(): number
  /** Nobody listens any more: the client's next packet comes back as ECONNREFUSED. */
  refuse(): Promise<void>
  listen(): Promise<void>
  close(): Promise<void>
}

export const pass: Rule = ({ packet }) => [packet]

/** Starts one that passes everything on. */
export async function startBadNetwork(bmcPort: number): Promise<BadNetwork> {
  let front: Socket | undefined
  const backs = new Map<number, Socket>()
  const requests = new Set<string>()

  const carry = async (packet: Buffer, to: 'bmc' | 'client', deliver: (p: Buffer) => void) => {
    const log = to === 'bmc' ? proxy.sent : proxy.answered
    const passing = { packet, to, request: requests.size - 1, index: log.length }
    log.push(packet)
    for (const out of await proxy.rule(passing)) deliver(out)
  }
  /** One socket for each client, so that each gets its own answers. */
  const backOf = (clientPort: number): Socket => {
    const known = backs.get(clientPort)
    if (known !== undefined) return known
    const back = createSocket('udp4')
    backs.set(clientPort, back)
    back.on('error', () => undefined)
    back.on('message', (packet) => {
      void carry(packet, 'client', (out) => front?.send(out, clientPort, '127.0.0.1'))
    })
    return back
  }
  const proxy: BadNetwork = {
    port: 0,
    bmcPort,
    rule: pass,
    sent: [],
    answered: [],
    requests: () => requests.size,
    async refuse() {
      const closing = front
      front = undefined
      await new Promise<void>((done) => (closing ? closing.close(() => done()) : done()))
    },
    async listen() {
      if (front !== undefined) return
      const socket = createSocket('udp4')
      await new Promise<void>((done) => socket.bind(proxy.port, '127.0.0.1', done))
      front = socket
      socket.on('message', (packet, { port }) => {
        const name = requestName(packet)
        // ipmitool gives all of its sessions one number, but each comes from a port of its own.
        if (name !== undefined) requests.add(`${port} ${name}`)
        void carry(packet, 'bmc', (out) => backOf(port).send(out, proxy.bmcPort, '127.0.0.1'))
      })
    },
    async close() {
      await proxy.refuse()
      for (const back of backs.values()) back.close()
    },
  }
  await proxy.listen()
  const { port } = (front as Socket | undefined)?.address() ?? { port: 0 }
  return Object.assign(proxy, { port })
}

/**
 * A login is one request, and so is what a session is there for: its second message, behind the
 * privilege level.
 */
function requestName(packet: Buffer): string | undefined {
  if (packet.length < 24) return undefined
  const type = packet.readUInt8(5)
  if (type === 0x10) return `login ${packet.readUInt32LE(20)}`
  const isSecond = type === 0xc0 && packet.readUInt32LE(10) === 2
  return isSecond ? `question in ${packet.readUInt32LE(6)}` : undefined
}
