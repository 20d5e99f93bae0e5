/**
 * The agent inside a QEMU guest, which is asked to shut its machine down. Cooperative: a machine
 * that has to be fenced is one that does not do what it is asked, so this proves nothing, and its
 * status is `on` or unknown. It is a friendly first step before one that cuts the power.
 *
 * @see qemu-ga-ref(7): guest-sync, guest-ping, guest-info, guest-shutdown.
 */
import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { defineDriver } from '../driver.ts'
import { FenceError, printable } from '../errors.ts'
import type { Kind, Wire, WireStream } from '../wire.ts'

const options = z.strictObject({
  socket: z
    .string()
    .startsWith('/', 'is not an absolute path')
    .meta({ title: 'Unix socket of the channel org.qemu.guest_agent.0' }),
})

type Options = z.output<typeof options>

const answer = z.union([
  z.object({ return: z.unknown() }).strict(),
  z.object({ error: z.object({ desc: z.string() }) }),
])
const abilities = z.object({
  version: z.string(),
  supported_commands: z.array(z.object({ name: z.string(), enabled: z.boolean() })),
})

/** An agent that refuses to shut down says so at once; one that obeys says nothing. */
const REFUSAL_MS = 500

export const qemuGuestAgent = defineDriver({
  name: 'qemu-guest-agent',
  title: 'The agent inside a QEMU guest, asked to shut down: never proof',
  options,
  capabilities: {
    hardOff: false,
    statusAuthoritative: false,
    isolation: 'cooperative',
    sharedFate: 'host-power',
    readGapMs: 1_000,
    // A guest stops its services first, and systemd gives each of them 90 s.
    lateMs: 120_000,
    returnsMs: 0,
    // No read ever ends this wait, and it is downtime: long enough for a guest with little to stop.
    settleMs: 30_000,
    vouches: true,
    timeoutMs: 5_000,
  },

  endpoint: ({ socket }) => socket,

  status: (options, wire) =>
    converse(options, wire, async (agent) => {
      await agent.ask('guest-ping')
      return { power: 'on', raw: 'the guest answers', spare: 'its guest agent answers' }
    }),

  powerOff: (options, wire) =>
    converse(options, wire, (agent) => agent.tell('guest-shutdown', { mode: 'powerdown' })),

  async powerOn() {
    const mend = 'add a step with a driver that can switch on'
    throw new FenceError('options', 'a guest that is off has no agent to switch it on', mend)
  },

  verify: (options, wire) =>
    converse(options, wire, async (agent) => {
      const said = await agent.ask('guest-info')
      const info = abilities.safeParse(said)
      if (!info.success) throw garbled(JSON.stringify(said))
      const { version, supported_commands: commands } = info.data
      if (!commands.some(({ name, enabled }) => name === 'guest-shutdown' && enabled)) {
        const mend = 'allow it in the configuration of qemu-ga'
        throw new FenceError('privilege', 'guest-shutdown is disabled in the guest', mend)
      }
      return { detail: `qemu-ga ${version} answers, and may shut the guest down; never proof` }
    }),
})

interface Agent {
  ask(command: string): Promise<unknown>
  /** For a command that is not answered when it is obeyed. */
  tell(command: string, words: object): Promise<void>
}

async function converse<T>(
  { socket }: Options,
  wire: Wire,
  work: (agent: Agent) => Promise<T>,
): Promise<T> {
  const stream = await wire.stream({ path: socket })
  try {
    await synchronise(stream)
    return await work({
      async ask(command) {
        send(stream, command, {}, 'question')
        return resultOf(await next(stream))
      },
      async tell(command, words) {
        send(stream, command, words, 'command')
        const waited = sleep(REFUSAL_MS, 'silence' as const, { signal: wire.signal })
        const line = await Promise.race([stream.read(), waited.catch(() => 'silence' as const)])
        if (line !== undefined && line !== 'silence') resultOf(line)
      },
    })
  } finally {
    stream.close()
  }
}

/** Reads past what was left over by whoever talked to the guest before, up to our own number. */
async function synchronise(stream: WireStream): Promise<void> {
  const id = randomInt(1, 2 ** 31)
  send(stream, 'guest-sync', { id }, 'question')
  for (;;) {
    const parsed = answer.safeParse(json(await next(stream)))
    if (parsed.success && 'return' in parsed.data && parsed.data.return === id) return
  }
}

function send(stream: WireStream, command: string, words: object, kind: Kind): void {
  stream.write(JSON.stringify({ execute: command, arguments: words }), kind)
}

async function next(stream: WireStream): Promise<string> {
  const line = await stream.read()
  if (line === undefined) throw new FenceError('dropped', 'the channel to the guest was closed')
  return line
}

function resultOf(line: string): unknown {
  const parsed = answer.safeParse(json(line))
  if (!parsed.success) throw garbled(line)
  if ('error' in parsed.data) throw new FenceError('refused', printable(parsed.data.error.desc))
  return parsed.data.return
}

function json(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function garbled(said: string): FenceError {
  return new FenceError('garbled', `"${printable(said, 80)}" is no answer of a guest agent`)
}
