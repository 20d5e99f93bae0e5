/** The agent's off, on and reboot: asked of the responder for every node that was named. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { AgentCode, AgentWorld } from './agent.ts'
import { ask } from './ask.ts'
import { discover, type Found } from './discovery.ts'
import type { Event, Status } from './event.ts'
import { recorderNode, writeEvents } from './log.ts'
import type { Request } from './message.ts'
import { openPlace, type Place } from './place.ts'
import type { Settings } from './settings.ts'

type FenceAction = 'off' | 'on' | 'reboot'

/** 0 only when the responder has told of every node that it is done. */
export async function fence(
  settings: Settings,
  action: FenceAction,
  world: AgentWorld,
): Promise<AgentCode> {
  const { plugs, directory, discovery: enabled, kubeconfig, quiet, verbose } = settings
  const place = openPlace(directory)
  const found = await discover({ enabled, ...(kubeconfig !== undefined && { kubeconfig }) })
  if (verbose)
    world.err(`GFS2 filesystems: ${found.filesystems.join(', ') || 'none'} (${found.by})`)
  const done = await Promise.all(
    plugs.map((target) => fenceOne({ settings, action, target, place, found }, world)),
  )
  const ok = done.every(Boolean)
  if (ok && !quiet) world.out(success[action])
  return ok ? 0 : 1
}

const success: Readonly<Record<FenceAction, string>> = {
  off: 'Success: Powered OFF',
  on: 'Success: Powered ON',
  reboot: 'Success: Rebooted',
}

interface One {
  readonly settings: Settings
  readonly action: FenceAction
  readonly target: string
  readonly place: Place
  readonly found: Found
}

async function fenceOne(one: One, { err, env }: AgentWorld): Promise<boolean> {
  const { settings, action, target, place, found } = one
  const { timeoutMs, priority, verbose } = settings
  const who = env.PCMK_service === undefined ? 'by hand' : 'by Pacemaker'
  const record = recorderOf(one, err)
  const requested = record.event('requested', `Fence action ${action} requested ${who}`, [
    ['INFO', `Fence action requested: ${action} for target: ${target}`],
    ['INFO', `GFS2 filesystems for ${target}: ${JSON.stringify(found.filesystems)} (${found.by})`],
  ])
  const written = (request: Request) => {
    if (verbose) err(`Request ${request.request_id} for ${target} is written; waiting`)
    const initiated = record.event('initiated', `Fence action ${action} initiated ${who}`, [
      ['INFO', `Wrote fence request: ${request.request_id}`],
    ])
    record.write(request.request_id, [requested, initiated])
  }
  try {
    const answer = await ask({
      ...{ place, action, target, timeoutMs, priority, written },
      ...{ recorder: recorderNode(), filesystems: found.filesystems },
    })
    const { request_id } = answer.request
    if (answer.ok && answer.response.success) {
      const text = `Fence action ${action} completed successfully: ${answer.response.message}`
      record.write(request_id, [record.event('completed', text, [['INFO', text]])])
      return true
    }
    const because = answer.ok ? answer.response.message : answer.because
    const text = `Fence action ${action} failed: ${because || 'the responder gave no reason'}`
    record.write(request_id, [record.event('failed', text, [['ERROR', text]])])
    err(`Failed: ${target}: ${because || 'the responder gave no reason'}`)
    return false
  } catch (error) {
    const because = error instanceof Error ? error.message : String(error)
    const text = `Fence action ${action} failed: the request could not be written: ${because}`
    record.write('', [requested, record.event('failed', text, [['ERROR', text]])])
    err(`Failed: ${target}: the request could not be written: ${because}`)
    return false
  } finally {
    await record.settled()
  }
}

/** For so long an answer that is there waits for its line in the logs. */
const logPatienceMs = 3_000

type Remark = readonly ['INFO' | 'ERROR', string]

/** The events of one fencing, in order; a log that takes nothing is said, and stops nothing. */
function recorderOf({ action, target, found, settings }: One, err: AgentWorld['err']) {
  let last: Promise<void> = Promise.resolve()
  const hurry = new AbortController()
  return {
    event: (status: Status, details: string, remarks: readonly Remark[]): Event => ({
      ...{ atMs: Date.now(), request_id: '', action, target_node: target, status, details },
      gfs2_filesystems: found.filesystems,
      recorder_node: recorderNode(),
      pacemaker_action: action,
      remarks: remarks.map(([level, text]) => ({ level, text })),
    }),
    write(request_id: string, events: readonly Event[]) {
      const named = events.map((event) => ({ ...event, request_id }))
      last = last
        .then(() => writeEvents(settings.logDir, named, hurry.signal))
        .catch((error: Error) =>
          err(`The logs in ${settings.logDir} were not written: ${error.message}`),
        )
    },
    /** The fencing is over: whoever waits for this process is not kept waiting for a log. */
    async settled() {
      const timer = setTimeout(() => hurry.abort(), logPatienceMs)
      const hung = sleep(2 * logPatienceMs, undefined, { ref: false })
      await Promise.race([last, hung])
      clearTimeout(timer)
    },
  }
}
