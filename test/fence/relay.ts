/** A unix socket that leads to another one, and fails the way a connection fails. */
import { connect, createServer, type Socket } from 'node:net'
import type { Fault } from './faults.ts'

export interface RelayTerms {
  readonly socket: string
  readonly target: string
  /**
   * What a request is: a whole connection, which goes wrong before the device hears of it, or one
   * message, which the device has understood when its answer suffers.
   */
  readonly request: 'connection' | 'message'
  /** Is it in this answer that the connection breaks? What comes before is small talk. */
  matters(answer: Buffer): boolean
  /** Is this the request to switch off? */
  isOff(request: Buffer): boolean
  /** Puts another identity in place of the device's, and back; both of one length. */
  swap(bytes: Buffer): Buffer
  /** Switches the device on by itself. */
  revive(): unknown
  /** What only `instead` can show. */
  readonly own?: readonly Fault[]
  /** Answers in place of the device, or says nothing (`undefined`): then it is passed on. */
  instead?(request: Buffer, fault: Fault, pass: () => void): string | Buffer | undefined
}

export interface Relay {
  readonly socket: string
  /** False for what cannot happen on a connection of this kind. */
  fail(fault: Fault, fromRequest: number): boolean
  mend(): void
  /** How many so far. */
  requests(): number
  /** How often it was asked to switch off. */
  offs(): number
  listen(): Promise<void>
  /** Nobody listens any more, and the socket is gone. */
  deafen(): Promise<void>
  close(): Promise<void>
}

const transport: readonly Fault[] = [
  ...(['hang', 'drop in mid-answer', 'reset', 'slow drip', 'HTML login page'] as const),
  ...(['huge answer', 'comes back on', 'another identity'] as const),
]

export async function startRelay(terms: RelayTerms): Promise<Relay> {
  const open = new Set<Socket>()
  let fault: Fault | undefined
  let from = 0
  let count = 0
  let offs = 0
  const track = (end: Socket): void => {
    open.add(end)
    end.on('error', () => undefined)
    end.on('close', () => open.delete(end))
  }
  const whole = terms.request === 'connection'
  const next = (): Fault | undefined => (count++ >= from ? fault : undefined)
  const server = createServer((near) => {
    let wrong = whole ? next() : undefined
    track(near)
    near.on('data', (bytes) => {
      if (terms.isOff(bytes)) offs += 1
    })
    if (whole && refuses(near, wrong)) return
    const far = connect(terms.target)
    track(far)
    const swap = (bytes: Buffer) => (wrong === 'another identity' ? terms.swap(bytes) : bytes)
    near.on('data', (bytes) => {
      if (!whole) wrong = next()
      const pass = (): void => void far.write(swap(Buffer.from(bytes)))
      const reply = wrong && terms.instead?.(bytes, wrong, pass)
      if (reply === undefined) pass()
      else near.write(reply)
    })
    // A command that comes late outlives the one who has sent it.
    near.on('close', () => wrong === 'late' || far.destroy())
    far.on('close', () => wrong === 'hang' || near.destroy())
    far.on('data', (bytes) => {
      if (!refuses(near, wrong)) answer(terms, near, swap(Buffer.from(bytes)), wrong)
    })
    near.on('close', () => {
      if (wrong === 'comes back on') setTimeout(terms.revive, 200)
    })
  })
  const listen = () => new Promise<void>((resolve) => server.listen(terms.socket, resolve))
  const deafen = () => new Promise<void>((done) => server.close(() => done()))
  await listen()
  return {
    socket: terms.socket,
    fail(wanted, fromRequest) {
      fault = [...transport, ...(terms.own ?? [])].includes(wanted) ? wanted : undefined
      from = count + fromRequest
      return fault !== undefined
    },
    mend: () => (fault = undefined),
    requests: () => count,
    offs: () => offs,
    listen,
    deafen,
    async close() {
      for (const end of open) end.destroy()
      if (server.listening) await deafen()
    },
  }
}

/** Says something else, or nothing, in place of the device. True when it has. */
function refuses(near: Socket, wrong: Fault | undefined): boolean {
  if (wrong === 'reset') near.destroy()
  if (wrong === 'HTML login page') near.write('<html>shut off (destroyed)\n')
  if (wrong === 'huge answer') near.write('x'.repeat(2 ** 21))
  return ['hang', 'reset', 'HTML login page', 'huge answer'].includes(wrong ?? '')
}

function answer(
  { matters }: RelayTerms,
  near: Socket,
  bytes: Buffer,
  wrong: Fault | undefined,
): void {
  if (wrong === 'slow drip') setTimeout(() => near.write(bytes), 300)
  else if (wrong === 'drop in mid-answer' && matters(bytes)) {
    near.write(bytes.subarray(0, bytes.length / 2))
    setTimeout(() => near.destroy(), 20)
  } else near.write(bytes)
}
