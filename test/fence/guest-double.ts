/**
 * A guest agent for tests: a unix socket that answers as `qemu-ga` does, with a guest behind it
 * that shuts down when it is asked, and that can fail in the ways of a channel.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Fault } from './faults.ts'

export interface Request {
  readonly execute: string
  readonly arguments: { readonly id?: number; readonly mode?: string }
}

/** What an agent answers; `undefined` is silence, `hang up` the end of the channel. */
export type Answers = (request: Request) => string | undefined

const result = (value: unknown): string => `${JSON.stringify({ return: value })}\n`
const refusal = '{"error": {"class": "GenericError", "desc": "off"}}\n'

export const info = (enabled: boolean): string =>
  result({ version: '7.2.22', supported_commands: [{ name: 'guest-shutdown', enabled }] })

/** What an agent in its right mind answers; nothing to a shutdown. */
export const obedient: Answers = ({ execute, arguments: { id } }) => {
  if (execute === 'guest-sync') return result(id)
  if (execute === 'guest-info') return info(true)
  return execute === 'guest-ping' ? result({}) : undefined
}

export interface Channel {
  readonly socket: string
  close(): Promise<void>
}

/** A channel on which every request is answered so. */
export async function openChannel(
  answers: (request: Request, end: Socket) => string | undefined,
): Promise<Channel> {
  const folder = mkdtempSync(join(tmpdir(), 'picket-guest-'))
  const socket = join(folder, 'agent')
  const open = new Set<Socket>()
  const server = createServer((end) => {
    open.add(end)
    end.on('error', () => undefined)
    end.on('data', (text) => {
      for (const line of text.toString().trim().split('\n')) {
        const said = answers(JSON.parse(line) as Request, end)
        if (said === 'hang up') end.destroy()
        else if (said !== undefined) end.write(said)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  return {
    socket,
    async close() {
      for (const end of open) end.destroy()
      await new Promise((done) => server.close(done))
      rmSync(folder, { recursive: true })
    },
  }
}

/** What becomes of an answer; the guest has understood. */
const spoils: Partial<Record<Fault, (said: string, end: Socket) => string | undefined>> = {
  hang: () => undefined,
  reset: () => 'hang up',
  500: () => refusal,
  'HTML login page': () => '<html>off</html>\n',
  'truncated JSON': (said) => `${said.slice(0, said.length / 2)}\n`,
  'wrong JSON': () => '["off", {"power": "off"}]\n',
  'huge answer': () => 'x'.repeat(2 ** 21),
  'drop in mid-answer': (said, end) => {
    end.write(said.slice(0, said.length / 2), () => end.destroy())
    return undefined
  },
  'slow drip': (said, end) => {
    for (const [at, letter] of [...said].entries()) setTimeout(() => end.write(letter), at * 100)
    return undefined
  },
}

const ownBusiness: readonly Fault[] = ['ignored', 'late', 'comes back on']

export interface Guest extends Channel {
  power: 'on' | 'off'
  /** What it says to a ping instead, where that is set. */
  raw: string | undefined
  fail(fault: Fault, fromRequest: number): boolean
  mend(): void
  requests(): number
  /** How often it was asked to shut down. */
  offs(): number
}

/** Starts a guest, power on. */
export async function startGuest(): Promise<Guest> {
  let fault: Fault | undefined
  let from = 0
  let requests = 0
  let offs = 0

  /** Nothing is said to it: the guest goes down with its agent. */
  function shutDown(wrong: Fault | undefined): void {
    offs += 1
    if (wrong === 'ignored' || wrong === '500') return
    if (wrong === 'late') setTimeout(() => (guest.power = 'off'), 300)
    else guest.power = 'off'
    if (wrong === 'comes back on') setTimeout(() => (guest.power = 'on'), 200)
  }
  const channel = await openChannel((request, end) => {
    const wrong = requests++ >= from ? fault : undefined
    if (guest.power === 'off') return undefined
    if (request.execute === 'guest-shutdown') shutDown(wrong)
    const usual = request.execute === 'guest-ping' ? (guest.raw ?? result({})) : obedient(request)
    const spoil = wrong && spoils[wrong]
    return spoil === undefined ? usual : spoil(usual ?? '', end)
  })
  const guest: Guest = {
    ...channel,
    power: 'on',
    raw: undefined,
    fail(wanted, fromRequest) {
      const can = wanted in spoils || ownBusiness.includes(wanted)
      fault = can ? wanted : undefined
      from = requests + fromRequest
      return can
    },
    mend: () => (fault = undefined),
    requests: () => requests,
    offs: () => offs,
  }
  return guest
}
