/**
 * Hands the request to an external component: through `fence_recorder`, which writes it into a
 * directory and waits for a responder there (docs/recorder.md). For power that belongs to somebody
 * else, such as a storage system that has its own idea of who may switch its nodes.
 *
 * It is as strong as its responder is: one that answers that a node is off without having read it
 * deceives whoever asks.
 */
import { z } from 'zod'
import type { ChildResult } from '../../foreign/child.ts'
import { defineDriver, type Status, type Target } from '../driver.ts'
import { FenceError, printable } from '../errors.ts'
import type { Kind, Wire } from '../wire.ts'

/** No word of it can be taken for a line of its own, or for several nodes. */
const word = /^[A-Za-z0-9_.-]{1,255}$/

const options = z.strictObject({
  plug: z
    .string()
    .regex(word, 'is not a name of a node')
    .meta({ title: 'The node, as the responder knows it' }),
  directory: z
    .string()
    .regex(/^\/[^\n\0]+$/, 'is not an absolute path')
    .default('/var/run/gfs2-fencing')
    .meta({ title: 'Where requests and responses are' }),
  log_dir: z
    .string()
    .regex(/^\/[^\n\0]+$/, 'is not an absolute path')
    .default('/var/log/gfs2-fencing')
    .meta({ title: 'Where every request is logged' }),
  priority: z
    .int()
    .min(-100)
    .max(100)
    .default(0)
    .meta({ title: 'Requests with a higher one are carried out first' }),
  program: z
    .string()
    .min(1)
    .default('fence_recorder')
    .meta({ title: 'The recorder, by name or path; `picket agents install` places it' }),
})

type Options = z.output<typeof options>
type Box = Omit<Options, 'plug'>

export const recorder = defineDriver({
  name: 'recorder',
  title: 'An external component that answers requests in a directory',
  options,
  capabilities: {
    hardOff: true,
    statusAuthoritative: true,
    isolation: 'power',
    // Nobody knows what is behind it.
    sharedFate: 'host-power',
    readGapMs: 1_000,
    // A request is good until its deadline, and what was begun by then may take a while.
    lateMs: 60_000,
    returnsMs: 60_000,
    settleMs: 30_000,
    vouches: false,
    timeoutMs: 60_000,
  },

  plug: 'plug',
  // Its responder carries out several at once, and one for each node.
  endpoint: (settings) => {
    const { directory, plug = '' } = settings as Box & { readonly plug?: string }
    return `${directory} ${plug}`.trim()
  },

  status: readStatus,
  powerOff: (settings, wire) => press(settings, wire, 'off'),
  powerOn: (settings, wire) => press(settings, wire, 'on'),

  async verify(settings, wire) {
    const { power, raw } = await readStatus(settings, wire)
    if (power === 'unknown') throw new FenceError('garbled', raw)
    return { detail: `the responder reads the power of ${settings.plug} as ${power}` }
  },

  async list(settings, wire) {
    const ran = await call(settings, wire, 'list-status', 'question')
    if (ran.code !== 0) throw failureOf(settings, ran)
    const targets = namesIn(ran.stdout)
    if (targets.length > 0) return targets
    throw new FenceError('noSuchPlug', 'the responder does not tell its nodes', NO_NODES)
  },
})

const NO_NODES = 'look into its own configuration for their names'

function namesIn(stdout: string): readonly Target[] {
  return stdout.split('\n').flatMap((line): readonly Target[] => {
    const [plug = '', ...rest] = line.trim().split(',')
    const status = rest.pop()?.trim().toLowerCase() ?? ''
    const known = ['on', 'off', 'unknown'].includes(status)
    // Only these can be written in a config; what has another form is a remark.
    if (rest.length === 0 || !known || !word.test(plug)) return []
    const power = status === 'on' || status === 'off' ? status : 'unknown'
    return [{ plug, name: rest.join(',').trim(), power }]
  })
}

async function readStatus(settings: Options, wire: Wire): Promise<Status> {
  const ran = await call(settings, wire, 'status', 'question')
  const { code, stdout } = ran
  const raw = printable(`exit ${code} ${stdout.trim()}`)
  const said = stdout.trim()
  if (code === 0 && said === 'Status: ON') return { power: 'on', raw }
  // 2 is also what a shell ends with when it chokes.
  if (code === 2 && said === 'Status: OFF') return { power: 'off', raw }
  if (code === 0 || code === 2) return { power: 'unknown', raw }
  throw failureOf(settings, ran)
}

async function press(settings: Options, wire: Wire, action: 'off' | 'on'): Promise<void> {
  const ran = await call(settings, wire, action, 'command')
  // Whatever it says, it may have switched before it failed.
  if (ran.code !== 0) throw failureOf(settings, ran)
}

type Action = 'off' | 'on' | 'status' | 'list-status'

function call(
  settings: Box & { readonly plug?: string },
  wire: Wire,
  action: Action,
  kind: Kind,
): Promise<ChildResult> {
  const { plug, directory, log_dir, priority, program } = settings
  const seconds = Math.max(1, Math.floor(wire.remainingMs() / 1_000))
  const given = {
    ...{ action, directory, log_dir, priority, recorder_timeout: seconds },
    ...(plug !== undefined && { plug }),
  }
  const lines = Object.entries(given).map(([name, value]) => `${name}=${value}\n`)
  return wire.run(program, [], { stdin: lines.join(''), debianPackage: 'picket', kind })
}

/** By the words of the agent; what nobody knows better has failed, and may be done late. */
function failureOf({ program }: Box, { code, stdout, stderr }: ChildResult): FenceError {
  const lines = `${stdout}\n${stderr}`.split('\n').filter((line) => line.trim() !== '')
  const said = printable(lines.at(-1) ?? 'no word')
  const ended = code === null ? 'was killed by a signal' : `ended with ${code}`
  if (/timed out/.test(said)) return new FenceError('timeout', said, NO_RESPONDER)
  return new FenceError('failed', `${program} ${ended}: ${said}`, NO_RESPONDER)
}

const NO_RESPONDER = 'look whether its responder runs and what it logs; count on a late effect'
