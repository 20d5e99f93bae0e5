/** The monitor of a QEMU process: commands and answers, one JSON object to a line. */
import { z } from 'zod'
import { FenceError, printable } from '../errors.ts'
import type { Kind, Wire, WireStream } from '../wire.ts'

export interface Monitor {
  /** What query-status calls the state. */
  state(): Promise<string>
  uuid(): Promise<string>
  /** Resolves when it is accepted. The process ends after its answer. */
  quit(): Promise<void>
  close(): void
}

const greeting = z.object({ QMP: z.object({ version: z.unknown() }) })
const event = z.object({ event: z.string() })
const answer = z.object({
  id: z.string(),
  return: z.unknown().optional(),
  error: z.object({ desc: z.string() }).optional(),
})

/** Connects; `undefined` where nobody listens, or where there is no socket. */
export async function openMonitor(path: string, wire: Wire): Promise<Monitor | undefined> {
  const stream = await connect(path, wire)
  if (stream === undefined) return undefined
  try {
    const first = await message(stream)
    if (first === undefined) throw new FenceError('dropped', `${path} hung up before a greeting`)
    if (!greeting.safeParse(first).success) throw garbled(first)
    await execute(stream, 'qmp_capabilities', 'question')
    return monitorOf(stream)
  } catch (error) {
    stream.close()
    throw error
  }
}

function monitorOf(stream: WireStream): Monitor {
  const ask = async <T>(command: string, shape: z.ZodType<T>): Promise<T> => {
    const said = await execute(stream, command, 'question')
    const parsed = shape.safeParse(said)
    if (!parsed.success) throw garbled(said)
    return parsed.data
  }
  return {
    async state() {
      const { status } = await ask('query-status', z.object({ status: z.string() }))
      return printable(status)
    },
    async uuid() {
      const { UUID } = await ask('query-uuid', z.object({ UUID: z.string() }))
      return UUID
    },
    async quit() {
      await execute(stream, 'quit', 'command')
    },
    close: () => stream.close(),
  }
}

async function connect(path: string, wire: Wire): Promise<WireStream | undefined> {
  try {
    return await wire.stream({ path })
  } catch (error) {
    const nobody = /: (ENOENT|ECONNREFUSED)\)/
    if (error instanceof FenceError && nobody.test(error.message)) return undefined
    throw error
  }
}

async function execute(stream: WireStream, command: string, kind: Kind): Promise<unknown> {
  stream.write(JSON.stringify({ execute: command, id: command }), kind)
  for (;;) {
    const said = await message(stream)
    if (said === undefined) {
      const failure = kind === 'command' ? 'cut' : 'dropped'
      throw new FenceError(failure, `it hung up before the answer to ${command}`)
    }
    // Events come at any time, and answers to nobody's question not at all.
    if (event.safeParse(said).success) continue
    const { success, data } = answer.safeParse(said)
    if (!success || data.id !== command) throw garbled(said)
    if (data.error !== undefined) throw new FenceError('refused', printable(data.error.desc))
    return data.return
  }
}

/** The next message; `undefined` when the process has hung up. */
async function message(stream: WireStream): Promise<unknown> {
  const line = await stream.read()
  if (line === undefined) return undefined
  try {
    return JSON.parse(line)
  } catch {
    throw garbled(line)
  }
}

function garbled(said: unknown): FenceError {
  const text = typeof said === 'string' ? said : JSON.stringify(said)
  return new FenceError('garbled', `"${printable(text, 80)}" is no answer of a monitor`)
}
