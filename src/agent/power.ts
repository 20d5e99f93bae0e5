/**
 * off, on and reboot of the nodes that are meant: through the picketd of this node where one
 * answers for this configuration, else by the engine of `picket fence` (daemon/alone.ts), which
 * proves an off by the same steps as a cluster does. What is fenced by a configuration is recorded
 * as there; a single device leaves nothing behind that a kill could.
 */
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { stateDirOf, whyNotKept } from '../cli/alone.ts'
import { askOnce, ControlError, mayBeAlone, socketPath } from '../cli/control.ts'
import { isProvenOff, whyNotHandedOver } from '../cli/hand-over.ts'
import { order } from '../cli/order.ts'
import { onlyResets, resetsOnly } from '../core/orders.ts'
import { orderAlone } from '../daemon/alone.ts'
import { secretsIn } from '../daemon/devices.ts'
import { type Records, recordsInMemory } from '../daemon/records.ts'
import { createNet } from '../foreign/mask.ts'
import type { Call } from './call.ts'
import type { Site } from './site.ts'
import { blankSight, passes, type Sight, watched } from './watched.ts'
import { failureLine, ofParameters, waitedLine } from './words.ts'

export type Action = 'off' | 'on' | 'reboot'

export interface Outcome {
  readonly ok: boolean
  /** For standard output, or why it failed, for standard error. */
  readonly text: string
}

type Tell = (text: string) => void

/** All of them or none: a set is off only if every one is. */
export async function switchAll(
  site: Site,
  call: Call,
  { action, tell }: { readonly action: Action; readonly tell: Tell },
): Promise<Outcome> {
  const refused = site.targets.flatMap((target) => whyRefused(site, target, action) ?? [])
  if (refused.length > 0) return { ok: false, text: `Failed: ${refused.join('; ')}` }
  if (call.config !== undefined && (await daemonAnswers())) {
    const { cluster } = site.loaded.core
    const give = (target: string) => throughDaemon({ call, cluster, target, tell }, action)
    return await together(site.targets, give)
  }
  const stateDir = call.config === undefined ? undefined : stateDirOf(call.state)
  const unkept = stateDir === undefined ? undefined : whyNotKept(stateDir)
  if (unkept !== undefined) {
    return { ok: false, text: `Failed: it cannot be recorded first: ${unkept}. Nothing was sent` }
  }
  const one = (target: string) => {
    const records = stateDir ?? recordsInMemory()
    return new Switching({ site, call, target, tell, records })
  }
  const all = new Map(site.targets.map((target) => [target, one(target)]))
  const run = (act: Action) => together(site.targets, (target) => all.get(target)!.run(act))
  // A reset is both halves at once.
  const resets = site.targets.every((target) => onlyResets(site.loaded.core, target))
  if (action !== 'reboot' || resets) return await run(action)
  const off = await run('off')
  if (!off.ok) return off
  const on = await within(powerMsOf(call), run('on'))
  if (on?.ok !== true) tell(`It is off, and was not switched on: ${on?.text ?? 'it takes long'}`)
  return { ok: true, text: success.reboot }
}

const powerMsOf = ({ times }: Call): number => times.powerMs ?? 20_000

async function within<T>(limitMs: number, work: Promise<T>): Promise<T | undefined> {
  return await Promise.race([work, sleep(limitMs, undefined, { ref: false })])
}

function whyRefused({ loaded }: Site, target: string, action: Action): string | undefined {
  const node = loaded.core.nodes.find(({ id }) => id === target)
  if ((node?.levels.length ?? 0) === 0) return `no fence device is configured for ${target}`
  return action === 'off' && onlyResets(loaded.core, target) ? resetsOnly(target) : undefined
}

async function together(
  targets: readonly string[],
  work: (target: string) => Promise<Outcome>,
): Promise<Outcome> {
  const all = await Promise.all(targets.map(work))
  const failed = all.filter(({ ok }) => !ok)
  const [first] = failed.length > 0 ? failed : all
  if (failed.length <= 1) return first ?? { ok: false, text: 'Failed: nothing is meant' }
  return { ok: false, text: failed.map(({ text }) => text).join('; ') }
}

interface Terms {
  readonly site: Site
  readonly call: Call
  readonly target: string
  readonly tell: Tell
  readonly records: string | Records
}

/** Tries of one action while the failure may pass. */
const triesMax = 3
const tryGapMs = 1_000

/** One node, with what is known of the devices that were asked for it. */
class Switching {
  private readonly terms: Terms
  private sight: Sight = blankSight()

  constructor(terms: Terms) {
    this.terms = terms
  }

  async run(action: Action): Promise<Outcome> {
    const { times } = this.terms.call
    const asked = action === 'on' ? this.onTries() : 1
    const tries = Math.max(asked, times.persists && action !== 'on' ? triesMax : 1)
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.once(action)
      if (outcome.ok || attempt >= tries || !passes(this.sight)) return outcome
      this.terms.tell(`${outcome.text}; it is tried again`)
      await sleep(tryGapMs)
    }
  }

  private onTries(): number {
    const { action, times } = this.terms.call
    return action === 'reboot' ? Math.max(1, times.retryOn) : 1 + times.retryOn
  }

  private async once(action: Action): Promise<Outcome> {
    const { site, call, target, tell, records } = this.terms
    const { loaded } = site
    this.sight = blankSight()
    const looked = { sight: this.sight, waitMs: call.times.waitMs, pressless: false }
    const devices = [...loaded.devices.values()].map((device) => watched(device, looked))
    const ended = await orderAlone({
      ...{ config: loaded.core, devices, stateDir: records, action, target },
      requester: requester(),
      reason: `fence agent ${call.agent}: ${action}`,
      progress: (text) => tell(call.config ? text : ofParameters(text)),
      clean: createNet(secretsIn(loaded.devices.values())),
      stop: new AbortController().signal,
    })
    if (ended?.at === 'done') return { ok: true, text: success[action] }
    const because = ended?.because ?? 'it was stopped'
    return { ok: false, text: this.why(action, call.config ? because : ofParameters(because)) }
  }

  private why(action: Action, because: string): string {
    const { failure, pressed, power } = this.sight
    const wanted = action === 'on' ? 'on' : 'off'
    if (failure === undefined && pressed && power !== wanted) return waitedLine(wanted, because)
    return failureLine(failure, because)
  }
}

const success: Readonly<Record<Action, string>> = {
  off: 'Success: Powered OFF',
  on: 'Success: Powered ON',
  reboot: 'Success: Rebooted',
}

/** Who asks, for the record. */
function requester(): string {
  return `${process.env.PCMK_service ?? 'a fence agent'} on ${hostname()}`.slice(0, 200)
}

const daemonMs = 2_000

/** One that is not there, or does not answer, is not waited for: the node has to be fenced. */
async function daemonAnswers(): Promise<boolean> {
  if (mayBeAlone(undefined)) return false
  try {
    await askOnce(socketPath(undefined), { do: 'status' }, daemonMs)
    return true
  } catch (error) {
    if (error instanceof ControlError) return false
    throw error
  }
}

/** From here on it is picketd's: what becomes of its connection is no reason to press as well. */
async function throughDaemon(
  { call, cluster, target, tell }: Pick<Terms, 'call' | 'target' | 'tell'> & { cluster: string },
  action: Action,
): Promise<Outcome> {
  const said: string[] = []
  const note = (text: string) => {
    said.push(text)
    tell(text)
  }
  const terminal = {
    out: note,
    err: note,
    paint: (_: unknown, text: string) => text,
    ask: async () => undefined,
    during: <T>(_: unknown, work: Promise<T>) => work,
  }
  const reason = `fence agent ${call.agent}: ${action}`
  const terms = { action, node: target, yes: true, json: false, reason }
  const unset = { socket: undefined, state: undefined }
  const path = socketPath(undefined)
  try {
    const stranger = await whyNotHandedOver(path, cluster)
    if (stranger !== undefined) return { ok: false, text: `Failed: ${stranger}` }
    const code = await order({ ...terms, ...unset }, terminal)
    const because = said.at(-1) ?? 'picketd gave no reason'
    // What a reboot owes is the off.
    const done = code === 0 || (action === 'reboot' && (await isProvenOff(path, target)))
    return done
      ? { ok: true, text: success[action] }
      : { ok: false, text: failureLine(undefined, because.replace(/^(Failed|Refused): /, '')) }
  } catch (error) {
    if (!(error instanceof ControlError)) throw error
    return { ok: false, text: failureLine(undefined, error.message) }
  }
}
