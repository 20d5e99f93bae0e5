/**
 * `picket status`: the whole cluster on one screen. Asks the daemon of this node; changes nothing.
 */
import { setTimeout } from 'node:timers/promises'
import type { Status } from '../core/status.ts'
import { defineCommand, type ExitCode } from './command.ts'
import { askDaemon, askOnce, ControlError, type Line, socketPath } from './control.ts'
import { plain } from './marks.ts'
import { screen } from './screen.ts'
import type { Terminal } from './terminal.ts'

const RETRY_MS = 1_000

export const command = defineCommand({
  name: 'status',
  about: `Asks the picketd of this node and shows the cluster as that node sees it: who is a
member, what is being fenced and why, which fence devices work, what runs where, and what a person
can do.`,
  flags: {
    json: { title: 'Print the same as JSON' },
    watch: { title: 'Show it again whenever something changes, until Ctrl-C' },
    socket: { value: 'PATH', title: "picketd's control socket" },
  },
  async run({ flags: { json = false, watch = false, socket } }, terminal) {
    const path = socketPath(socket)
    try {
      if (watch) return await follow(path, json, terminal)
      const asked = terminal.during('asking picketd', askOnce(path, { do: 'status' }))
      return show(await asked, json, terminal)
    } catch (error) {
      if (!(error instanceof ControlError)) throw error
      terminal.err(`picket status: ${error.message}.`)
      return 1
    }
  },
})

async function follow(path: string, json: boolean, terminal: Terminal): Promise<ExitCode> {
  const clear = process.stdout.isTTY && !json ? '\x1b[H\x1b[2J\x1b[3J' : ''
  // Nothing may happen for days in a cluster that is well.
  let seen = false
  for (;;) {
    try {
      for await (const line of askDaemon(path, { do: 'watch' }, { silenceMs: 2 ** 31 - 1 })) {
        if (clear !== '') process.stdout.write(clear)
        const code = show(line, json, terminal)
        if (code !== 0 && !seen) return code
        seen = true
        if (clear === '' && !json) terminal.out('')
      }
    } catch (error) {
      // Whoever watches wants to see it come back.
      if (!seen || !(error instanceof ControlError)) throw error
    }
    terminal.err('picket status: picketd has ended the connection; it is asked again.')
    await setTimeout(RETRY_MS)
  }
}

function show(line: Line, json: boolean, terminal: Terminal): ExitCode {
  const status = statusIn(line)
  if (status === undefined) {
    terminal.err(`picket status: ${whyNone(line)}.`)
    return 1
  }
  if (json) terminal.out(JSON.stringify(status))
  else for (const text of screen(status, terminal.paint)) terminal.out(text)
  return 0
}

/** The status in an answer of the daemon, which has our own version; undefined if it is none. */
export function statusIn(line: Line): Status | undefined {
  const { status } = line
  if (typeof status !== 'object' || status === null) return undefined
  const lists: readonly (keyof Status)[] = ['nodes', 'resources', 'orders', 'advice']
  return lists.every((key) => key in status && Array.isArray(Reflect.get(status, key)))
    ? (status as Status)
    : undefined
}

/** Why an answer holds no status: the daemon says so while it waits for Corosync. */
export function whyNone({ because }: Line): string {
  return typeof because === 'string' ? plain(because) : 'picketd did not tell its status'
}
