/**
 * `picket maintenance`: leaves a node, a resource or the whole cluster alone while somebody works
 * on it, and with `--drain` moves everything off the node first. Says first what follows from it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { IntentOrder } from '../core/intents.ts'
import type { Status } from '../core/status.ts'
import { type Command, defineCommand, type ExitCode, UsageError } from './command.ts'
import { askOnce, ControlError, socketPath } from './control.ts'
import { heldBy } from './held.ts'
import { give, type Options, orNothing } from './intent.ts'
import { plain } from './marks.ts'
import { statusIn, whyNone } from './status.ts'
import type { Terminal } from './terminal.ts'

/** A resource may take as long to stop as its timeouts allow. */
const drainMs = 30 * 60_000
const lookEveryMs = 500

export const command: Command = defineCommand({
  name: 'maintenance',
  words: ['on|off', '[NODE]'],
  about: `Leaves NODE, one resource or the whole cluster alone: what runs there is looked at and
shown, and neither started, restarted, moved nor stopped, also without quorum. NODE is not fenced,
whatever becomes of it, unless somebody orders \`picket fence\`; with --cluster nobody is. What a
node may hold starts nowhere else before it is proven dead. What is under way is brought to its end.

It is kept by a majority of disks before this command ends well, and lasts over restarts of every
node until \`picket maintenance off\`. Without quorum it is refused.

With --drain NODE is put on standby first; its maintenance begins when nothing runs there any more.
\`off\` leaves it on standby, until \`picket unstandby\`.`,
  flags: {
    resource: { value: 'RESOURCE', title: 'Maintenance of one resource, instead of a node' },
    cluster: { title: 'Maintenance of everything' },
    drain: { title: 'Move everything off NODE first' },
    reason: { value: 'TEXT', title: 'Why, for everybody who wonders' },
    'dry-run': { title: 'Only say what follows from it' },
    json: { title: 'Answer in JSON, one object a line' },
    socket: { value: 'PATH', title: "picketd's control socket" },
  },
  async run({ words, flags }, io) {
    const { reason = '', 'dry-run': dry = false, json = false, drain = false } = flags
    const [turn, node = ''] = words
    if (turn !== 'on' && turn !== 'off') throw new UsageError('Say `on` or `off` first.')
    const { resource = '', cluster = false } = flags
    const named = [node !== '', resource !== '', cluster].filter(Boolean).length
    if (named !== 1) {
      throw new UsageError('Name a node, or give --resource RESOURCE, or --cluster.')
    }
    if (drain && (turn === 'off' || node === '')) {
      throw new UsageError('--drain is for `picket maintenance on NODE`.')
    }
    if (reason.length > 500) throw new UsageError('--reason takes at most 500 characters.')
    const options = { reason, dry, json, path: socketPath(flags.socket) }
    const order: IntentOrder = { action: turn === 'on' ? 'maintain' : 'unmaintain', resource, node }
    return await orNothing('maintenance', io, async () => {
      if (drain) {
        const code = await drained(node, options, io)
        if (code !== 0) return code
      }
      const code = await give(order, options, io)
      if (code === 0 && turn === 'off' && node !== '') await sayStandby(node, options, io)
      return code
    })
  },
})

/** On standby, and nothing left there. */
async function drained(node: string, options: Options, io: Terminal): Promise<ExitCode> {
  const standby = { action: 'standby', resource: '', node } as const
  const code = await give(standby, options, io)
  if (code !== 0 || options.dry) return code
  const untilMs = performance.now() + drainMs
  let told = ''
  for (;;) {
    const status = await statusOf(options)
    const found = status.nodes.find(({ id }) => id === node)
    if (found === undefined || found.holds.length === 0) return 0
    const held = heldBy(found, status.resources)
    const waits = `waiting for ${held} to be gone from ${plain(node)}`
    if (waits !== told && !options.json) io.err(waits)
    told = waits
    if (performance.now() > untilMs) {
      io.err(`Failed: ${waits} for too long. ${plain(node)} is on standby, not in maintenance.`)
      return 1
    }
    await sleep(lookEveryMs)
  }
}

/** Two orders were given for a drain, and the second one is easily forgotten. */
async function sayStandby(node: string, options: Options, { err }: Terminal): Promise<void> {
  if (options.json || options.dry) return
  const { intents } = await statusOf(options)
  const standby = intents.find((each) => each.kind === 'standby' && each.node === node)
  if (standby === undefined) return
  err(`${plain(standby.text)}. To let it take resources again: picket unstandby ${plain(node)}`)
}

async function statusOf({ path }: Options): Promise<Status> {
  const line = await askOnce(path, { do: 'status' })
  const status = statusIn(line)
  if (status === undefined) throw new ControlError(whyNone(line))
  return status
}
