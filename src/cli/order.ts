/** An order to switch a node's power: asked for, given to the daemon, followed to its end. */
import { hostname, userInfo } from 'node:os'
import type { Status } from '../core/status.ts'
import type { ExitCode } from './command.ts'
import { askDaemon, askOnce, ControlError, type Line, socketPath } from './control.ts'
import type { PowerAction } from './fence.ts'
import { heldBy } from './held.ts'
import { plain } from './marks.ts'
import { statusIn, whyNone } from './status.ts'
import type { Terminal } from './terminal.ts'

export interface OrderOptions {
  readonly action: PowerAction
  readonly node: string
  readonly yes: boolean
  readonly reason: string | undefined
  readonly json: boolean
  readonly socket: string | undefined
  /** Where an order without picketd is recorded. */
  readonly state: string | undefined
}

/** Longer than any round of fencing with its retries is silent. */
const silenceMs = 600_000

/** Give the order and follow it; throws a ControlError where the daemon cannot be asked. */
export async function order(options: OrderOptions, terminal: Terminal): Promise<ExitCode> {
  const { action, node, yes, json } = options
  const path = socketPath(options.socket)
  const asked = askOnce(path, { do: 'status' })
  const line = await terminal.during('asking picketd', asked)
  const status = statusIn(line)
  if (status === undefined) throw new ControlError(whyNone(line))
  const told = consequences(action, node, status)
  if (!yes && !(await confirmed(options, told, terminal))) return 3
  const request = {
    do: 'fence',
    action,
    target: node,
    requester: requester(),
    reason: options.reason ?? `picket fence ${action}`,
  }
  const interrupted = () => {
    terminal.err('The order stands and picketd goes on with it; `picket status` shows how.')
    process.exit(130)
  }
  process.once('SIGINT', interrupted)
  try {
    return await follow(path, request, json, terminal)
  } finally {
    process.off('SIGINT', interrupted)
  }
}

/** Say what dies, then ask; where nobody can be asked, `--yes` is the only consent. */
export async function confirmed(
  { action, node }: Pick<OrderOptions, 'action' | 'node'>,
  consequences: readonly string[],
  { err, ask }: Terminal,
): Promise<boolean> {
  for (const sentence of consequences) err(sentence)
  const answer = await ask(`Type yes to ${words[action](node)}:`)
  if (answer?.trim() === 'yes') return true
  err(
    answer === undefined
      ? 'Refused: there is nobody here to confirm it; give --yes to do it all the same.'
      : `Refused: ${node} was left alone.`,
  )
  return false
}

/** What an order does, after "Type yes to". */
const words: Readonly<Record<PowerAction, (node: string) => string>> = {
  off: (node) => `switch ${node} off`,
  on: (node) => `switch ${node} on`,
  reboot: (node) => `switch ${node} off and on again`,
}

function consequences(action: PowerAction, node: string, status: Status): readonly string[] {
  const found = status.nodes.find(({ id }) => id === node)
  const said: string[] = []
  if (!status.ready) said.push(`The cluster cannot decide now: ${plain(status.because)}.`)
  if (action === 'on' || found === undefined) return said
  const held = heldBy(found, status.resources)
  said.push(
    held === ''
      ? `${plain(node)} holds nothing that this cluster manages.`
      : `Cuts the power of ${plain(node)}: ${held} dies there, and starts elsewhere once it is ` +
          'proven off.',
  )
  if (action === 'off') said.push('It stays out of service until somebody orders it on.')
  return said
}

/** Who asks, for the record. */
export function requester(): string {
  const user = process.env.SUDO_USER || userInfo().username
  return `${user}@${hostname()}`.slice(0, 200)
}

/** Give a request to picketd, show what it tells, and say how it ended. */
export async function follow(
  path: string,
  request: object,
  json: boolean,
  terminal: Terminal,
): Promise<ExitCode> {
  const lines = askDaemon(path, request, { silenceMs })
  for (;;) {
    const next = await terminal.during('waiting for picketd', lines.next())
    if (next.done) throw new ControlError('picketd ended the connection before it told the outcome')
    const line = next.value
    if (json) terminal.out(JSON.stringify(line))
    if (typeof line.progress === 'string') {
      if (!json) terminal.err(plain(line.progress))
    } else {
      return outcome(line, json, terminal)
    }
  }
}

/** Say how it ended; the exit code. */
export function outcome(line: Line, json: boolean, { out, err }: Terminal): ExitCode {
  const because = plain(line.because ?? verdictText(line) ?? 'no reason given')
  if (line.ok === true) {
    if (!json) out(`Done: ${because}`)
    return 0
  }
  // Without a verdict nobody has pressed anything: the order was not taken.
  const refused = line.refused === true || (line.refused === undefined && !('verdict' in line))
  if (!json) err(refused ? `Refused: ${because}` : `Failed: ${because}`)
  return refused ? 3 : 1
}

function verdictText({ verdict }: Line): string | undefined {
  if (typeof verdict !== 'object' || verdict === null) return undefined
  const text: unknown = Reflect.get(verdict, 'text')
  return typeof text === 'string' ? text : undefined
}
