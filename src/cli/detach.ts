/**
 * `picket detach`: ends the picketd of this node and leaves its resources running, so that the
 * service manager starts another one, for an upgrade; then waits until that one is a member.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, defineCommand, type ExitCode, UsageError } from './command.ts'
import { askOnce, ControlError, socketPath } from './control.ts'
import { orNothing } from './intent.ts'
import { plain } from './marks.ts'
import { follow, requester } from './order.ts'
import { statusIn, whyNone } from './status.ts'
import type { Terminal } from './terminal.ts'

const lookEveryMs = 250
/** Longer than a start takes on a slow machine; the cluster waits for `detach_seconds`. */
const waitMs = 60_000

export const command: Command = defineCommand({
  name: 'detach',
  about: `Replaces the picketd of this node by the one that is installed now. It ends what is under
way, tells the other members, and goes; what runs here runs on. systemd starts it again at once
(Restart=always), and the new one finds running what runs.

The other members hold what this node holds. When no picketd is back within \`detach_seconds\` they
fence the node, and at once when its Corosync is lost. Without quorum it is refused, and picketd
stays. Ends when the new one is a member. Do it on one node after the other.`,
  flags: {
    reason: { value: 'TEXT', title: 'Why, for the audit log' },
    json: { title: 'Answer in JSON, one object a line' },
    socket: { value: 'PATH', title: "picketd's control socket" },
  },
  async run({ words, flags }, io) {
    if (words.length > 0) throw new UsageError('It takes no words: it is about this node.')
    const { reason = '', json = false } = flags
    if (reason.length > 500) throw new UsageError('--reason takes at most 500 characters.')
    const path = socketPath(flags.socket)
    return await orNothing('detach', io, async () => {
      const before = await pidAt(path)
      const request = { do: 'detach', requester: requester(), reason }
      const code = await follow(path, request, json, io)
      return code === 0 ? await isBack(path, before, json, io) : code
    })
  },
})

/** Waits for another process that is a member of a cluster that decides. */
async function isBack(
  path: string,
  before: number | undefined,
  json: boolean,
  { out, err }: Terminal,
): Promise<ExitCode> {
  const untilMs = performance.now() + waitMs
  let because = 'picketd is not running here'
  while (performance.now() < untilMs) {
    try {
      const line = await askOnce(path, { do: 'status' })
      const status = statusIn(line)
      because = status?.because ?? whyNone(line)
      if (status?.ready && pidIn(status) !== before) {
        if (json) out(JSON.stringify({ back: true }))
        else out('Another picketd is a member now.')
        return 0
      }
    } catch (error) {
      if (!(error instanceof ControlError)) throw error
      because = error.message
    }
    await sleep(lookEveryMs)
  }
  if (json) out(JSON.stringify({ back: false, because }))
  else err(`Failed: no other picketd is a member after ${waitMs / 1000} s: ${plain(because)}.`)
  return 1
}

async function pidAt(path: string): Promise<number | undefined> {
  const status = statusIn(await askOnce(path, { do: 'status' }))
  return status === undefined ? undefined : pidIn(status)
}

/** Of the process itself, beside what it tells of the cluster. */
function pidIn(status: object): number | undefined {
  const daemon: unknown = Reflect.get(status, 'daemon')
  const pid: unknown = typeof daemon === 'object' && daemon && Reflect.get(daemon, 'pid')
  return typeof pid === 'number' ? pid : undefined
}
