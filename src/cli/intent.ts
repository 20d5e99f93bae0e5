/**
 * Orders that say what should run where, and last until they are taken back: `picket standby`,
 * `disable`, `move`, `ban`, their opposites, and `cleanup`. Each tells first what it moves.
 */
import type { Foreseen } from '../core/foresee.ts'
import { type IntentAction, type IntentOrder, meanings } from '../core/intents.ts'
import { type Command, defineCommand, type ExitCode, UsageError } from './command.ts'
import { askOnce, ControlError, type Line, socketPath } from './control.ts'
import { plain } from './marks.ts'
import { follow, requester } from './order.ts'
import type { Terminal } from './terminal.ts'

const lasting = `
It is kept by a majority of disks before this command ends well, and lasts over restarts of every
node until it is taken back. Without quorum it is refused.`

/** Those that are a command by themselves; `picket maintenance` gives the others. */
export type IntentCommand = Exclude<IntentAction, 'maintain' | 'unmaintain'>

const abouts: Readonly<Record<IntentCommand, string>> = {
  standby: `Takes NODE out of service: what runs there moves away, and nothing starts there. NODE
goes on voting and fencing. Says first what will move where.
${lasting}`,
  unstandby: `Lets NODE take resources again. What has moved away comes back only where points say
so.`,
  disable: `Stops RESOURCE, after whatever starts after it or must run beside it; it starts nowhere.
Says first what that ends.
${lasting}`,
  enable: 'Lets RESOURCE run again, and with it whatever follows it.',
  move: `Runs RESOURCE on NODE from now on, with whatever must run beside it. That counts for more
than every preference, but not for more than whether NODE can take it: when NODE is gone RESOURCE
runs elsewhere, and comes back with NODE. When it fails on NODE the move is over.
${lasting}`,
  unmove: 'Takes a move of RESOURCE back. It stays where it is, unless points say otherwise.',
  ban: `Keeps RESOURCE off NODE: if it runs there, it moves away.
${lasting}`,
  unban: 'Lets RESOURCE run on NODE again.',
  cleanup: `Forgets that RESOURCE has failed, on every node, so that it is tried again at once.
Whatever cannot be stopped is not forgotten: its node is fenced.`,
}

/** The command for one of these orders. */
export function commandFor(action: IntentCommand): Command {
  const { names } = meanings[action]
  return defineCommand({
    name: action,
    words: [...(names.resource ? ['RESOURCE'] : []), ...(names.node ? ['NODE'] : [])],
    about: abouts[action],
    flags: {
      reason: { value: 'TEXT', title: 'Why, for everybody who wonders' },
      'dry-run': { title: 'Only say what would move where' },
      json: { title: 'Answer in JSON, one object a line' },
      socket: { value: 'PATH', title: "picketd's control socket" },
    },
    async run({ words, flags: { reason = '', 'dry-run': dry = false, json = false, socket } }, io) {
      const { length } = words
      const [resource, node] = names.resource ? [words[0], words[1] ?? ''] : ['', words[0]]
      if (resource === undefined || node === undefined) {
        throw new UsageError(`${length === 0 ? 'A name' : 'NODE'} is missing.`)
      }
      if (reason.length > 500) throw new UsageError('--reason takes at most 500 characters.')
      const order = { action, resource, node }
      return await orNothing(action, io, () =>
        give(order, { reason, dry, json, path: socketPath(socket) }, io),
      )
    },
  })
}

/** Where picketd cannot be asked nothing was ordered, and that is said. */
export async function orNothing(
  command: string,
  { err }: Terminal,
  order: () => Promise<ExitCode>,
): Promise<ExitCode> {
  try {
    return await order()
  } catch (error) {
    if (!(error instanceof ControlError)) throw error
    err(`picket ${command}: ${error.message}. Nothing was ordered.`)
    return 1
  }
}

export interface Options {
  readonly reason: string
  readonly dry: boolean
  readonly json: boolean
  readonly path: string
}

/** Says what an order would move, then gives it and follows it to its end. */
export async function give(
  order: IntentOrder,
  { reason, dry, json, path }: Options,
  terminal: Terminal,
): Promise<ExitCode> {
  const asked = askOnce(path, { do: 'foresee', ...order })
  const line = await terminal.during('asking picketd', asked)
  const foreseen = foreseenIn(line)
  const say = dry ? terminal.out : terminal.err
  if (foreseen === undefined) {
    const because = typeof line.because === 'string' ? line.because : 'picketd did not say why'
    if (json) terminal.out(JSON.stringify(line))
    else terminal.err(`Refused: ${plain(because)}`)
    return 3
  }
  const cautions = Array.isArray(line.cautions) ? line.cautions.map(plain) : []
  if (json) terminal.out(JSON.stringify({ foreseen, cautions }))
  else for (const sentence of [...consequences(foreseen), ...cautions]) say(sentence)
  if (dry) return 0
  const request = { do: 'want', ...order, requester: requester(), reason }
  return await follow(path, request, json, terminal)
}

function foreseenIn({ foreseen }: Line): readonly Foreseen[] | undefined {
  return Array.isArray(foreseen) ? (foreseen as readonly Foreseen[]) : undefined
}

/** What moves where, those of one way together; a resource that stops for good says why. */
function consequences(foreseen: readonly Foreseen[]): readonly string[] {
  if (foreseen.length === 0) return ['Nothing moves.']
  const ways = new Map<string, string[]>()
  for (const { resource, from, to, because } of foreseen) {
    const way =
      to === undefined
        ? `will run nowhere: ${plain(because)}.`
        : from === undefined
          ? `will start on ${plain(to)}.`
          : `will move from ${plain(from)} to ${plain(to)}.`
    ways.set(way, [...(ways.get(way) ?? []), plain(resource)])
  }
  return [...ways].map(([way, resources]) => `${resources.join(' and ')} ${way}`)
}
