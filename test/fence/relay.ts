/** A unix socket that leads to another one, and fails the way a connection fails. */
import { connect, createServer, type Socket } from 'node:net'
import type { Fault } from './contract.ts'

export interface RelayTerms {
  readonly socket: string
  readonly target: string
  /** Is it in this answer that the connection breaks? What comes before is small talk. */
  matters(answer: Buffer): boolean
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
  /** Connections so far. */
  requests(): number
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
  const track = (end: Socket): void => {
    open.add(end)
    end.on('error', () => undefined)
    end.on('close', () => open.delete(end))
  }
  const server = createServer((near) => {
    const wrong = count++ >= from ? fault : undefined
    track(near)
    if (refuses(near, wrong)) return
    const far = connect(terms.target)
    track(far)
    const swap = wrong === 'another identity' ? terms.swap : (bytes: Buffer) => bytes
    near.on('data', (bytes) => {
      const pass = (): void => void far.write(swap(Buffer.from(bytes)))
      const reply = wrong && terms.instead?.(bytes, wrong, pass)
      if (reply === undefined) pass()
      else near.write(reply)
    })
    // A command that comes late outlives the one who has sent it.
    near.on('close', () => wrong === 'late' || far.destroy())
    far.on('close', () => near.destroy())
    far.on('data', (bytes) => answer(terms, near, swap(Buffer.from(bytes)), wrong))
    if (wrong === 'comes back on') near.on('close', () => setTimeout(terms.revive, 200))
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
    listen,
    deafen,
    async close() {
      for (const end of open) end.destroy()
      if (server.listening) await deafen()
    },
  }
}

/** Goes wrong before the device hears of it. True when it has. */
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
