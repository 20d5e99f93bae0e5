/**
 * `picket detach`: ends the picketd of this node and leaves its resources running, so that the
 * service manager starts another one, for an upgrade; then waits until that one is a member.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, defineCommand, type ExitCode, UsageError } from './command.ts'
import { loadOrSay } from './config.ts'
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
fence the node, and at once when its Corosync is lost. Ends when the new one is a member.

It is refused, and picketd stays, where the configuration that the new one would read is wrong,
without quorum, while another node is without its picketd, and where fewer picketd than a majority
would be left. Do it on one node after the other.`,
  flags: {
    reason: { value: 'TEXT', title: 'Why, for the audit log' },
    yes: { title: 'Also where fewer picketd than a majority are left meanwhile' },
    json: { title: 'Answer in JSON, one object a line' },
    socket: { value: 'PATH', title: "picketd's control socket" },
  },
  async run({ words, flags }, io) {
    if (words.length > 0) throw new UsageError('It takes no words: it is about this node.')
    const { reason = '', yes = false, json = false } = flags
    if (reason.length > 500) throw new UsageError('--reason takes at most 500 characters.')
    const path = socketPath(flags.socket)
    return await orNothing('detach', io, async () => {
      const before = await daemonAt(path)
      const { configFile, pid } = before
      if (configFile !== '' && !(await loadOrSay(configFile, io, environmentOf(pid)))) {
        const because = 'the next picketd could not start with it'
        if (json) io.out(JSON.stringify({ ok: false, refused: true, because }))
        else io.err(`Refused: ${because}. This one goes on.`)
        return 3
      }
      const request = { do: 'detach', requester: requester(), reason, ...(yes && { sure: yes }) }
      const code = await follow(path, request, json, io)
      return code === 0 ? await isBack(path, pid, json, io) : code
    })
  },
})

/** Secrets may come from there: systemd gives them to picketd alone, and to the next one, too. */
function environmentOf(pid: number | undefined): NodeJS.ProcessEnv {
  try {
    const pairs = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
    return Object.fromEntries(
      pairs.filter((pair) => pair.includes('=')).map((pair) => splitAt(pair, pair.indexOf('='))),
    )
  } catch {
    return process.env
  }
}

const splitAt = (text: string, at: number) => [text.slice(0, at), text.slice(at + 1)] as const

/** Waits for another process that is a member of a cluster that decides. */
async function isBack(
  path: string,
  before: number | undefined,
  json: boolean,
  { out, err }: Terminal,
): Promise<ExitCode> {
  if (!json) err(`The next picketd is waited for, at most ${waitMs / 1000} s.`)
  const untilMs = performance.now() + waitMs
  let because = 'picketd is not running here'
  while (performance.now() < untilMs) {
    try {
      const line = await askOnce(path, { do: 'status' })
      const status = statusIn(line)
      because = status?.because ?? whyNone(line)
      if (status?.ready && daemonIn(status).pid !== before) {
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

/** Of the process itself, beside what it tells of the cluster. */
interface Daemon {
  readonly pid: number | undefined
  /** Empty where it does not say. */
  readonly configFile: string
}

async function daemonAt(path: string): Promise<Daemon> {
  return daemonIn(statusIn(await askOnce(path, { do: 'status' })))
}

function daemonIn(status: object | undefined): Daemon {
  const daemon: unknown = status && Reflect.get(status, 'daemon')
  const of = (name: string): unknown =>
    typeof daemon === 'object' && daemon ? Reflect.get(daemon, name) : undefined
  const [pid, configFile] = [of('pid'), of('configFile')]
  return {
    pid: typeof pid === 'number' ? pid : undefined,
    configFile: typeof configFile === 'string' ? configFile : '',
  }
}
