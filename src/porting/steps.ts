/**
 * A stonith device of Pacemaker as steps of one node: by the driver that does the same; else by its
 * agent as it is; else as a comment, so that nothing is lost.
 */
import { agentStep, type Mapped, nativeStep } from './agents.ts'
import type { CibDevice } from './cib.ts'
import type { DraftNode, DraftStep, Fitter, Kept, Refusal, Remark } from './draft.ts'
import type { Hosts } from './hosts.ts'
import { set, spanSeconds } from './parameters.ts'
import { isOwn, ownStep } from './picket-agents.ts'

export interface Place {
  readonly node: DraftNode
  readonly hosts: Hosts | undefined
  readonly fitter: Fitter
  /** One of its secrets could not be read. */
  readonly locked: boolean
  readonly remarks: Remark[]
}

/** What they tell is that a node was asked to reset itself. Its watchdog is a net, and no proof. */
const trusting = ['fence_sbd', 'fence_watchdog']

/** A step that is no step any more. */
export function keptOf({ driver, options, secrets }: DraftStep, why: string): Kept {
  return { why, open: { driver, ...options }, secrets }
}

/** One step for each of its plugs; `undefined` where not all of them could be made. */
export async function stepsOf(
  place: Place,
  device: CibDevice,
): Promise<readonly DraftStep[] | undefined> {
  const steps: DraftStep[] = []
  const plugs = place.hosts?.plugsOf(place.node.name) ?? [undefined]
  for (const plug of plugs) {
    const step = await stepOf(place, device, plug)
    if (step !== undefined) steps.push(step)
  }
  if (steps.length === plugs.length) return steps
  for (const step of steps) place.node.kept.push(keptOf(step, `${device.id} lacks another plug`))
  return undefined
}

async function stepOf(
  { node, hosts, fitter, locked, remarks }: Place,
  device: CibDevice,
  named: string | undefined,
): Promise<DraftStep | undefined> {
  const { id, type, line } = device
  const say = (lost: boolean, words: string) => {
    const text = `${id}: ${words}`
    if (!remarks.some((each) => each.text === text)) remarks.push({ lost, line, text })
  }
  const parameters = new Map([...device.parameters].filter(([name]) => !name.startsWith('pcmk_')))
  const argument = hosts?.argument
  if (argument !== undefined && named !== undefined) parameters.set(argument, named)
  const plug = argument === undefined ? named : undefined
  const itself = withTimes(agentStep(type, parameters, plug), device)
  const keep = (why: string) => {
    node.kept.push(keptOf(itself, `${id}: ${why}`))
    say(true, `is not a step of ${node.name}, and kept there as a comment: ${why}`)
    return undefined
  }
  if (locked) return keep('it lacks a secret')
  if (trusting.includes(type)) return keep('it trusts the node to end itself, which proves nothing')
  const driver = isOwn(type)
    ? await ownStep(type, parameters, plug)
    : nativeStep(type, parameters, plug)
  const refusal = await refusalOf(driver, node.name, fitter)
  if (typeof driver === 'object' && refusal === undefined) {
    for (const each of driver.dropped) say(false, `not carried over: ${each}`)
    for (const each of driver.unknown) say(true, `the parameter ${each} is not known here`)
    return driver
  }
  // The agent of a driver is no way around that driver.
  if (refusal !== undefined && (refusal.final || isOwn(type))) return keep(refusal.why)
  const last = await fitter.refusal(node.name, itself)
  if (last !== undefined) return keep(last.why)
  if (refusal !== undefined) say(false, `stays with the agent ${type} itself: ${refusal.why}`)
  return itself
}

async function refusalOf(
  driver: Mapped | string | undefined,
  node: string,
  fitter: Fitter,
): Promise<Refusal | undefined> {
  if (typeof driver === 'string') return { why: driver, final: false }
  return driver === undefined ? undefined : await fitter.refusal(node, driver)
}

/** The bound of a whole off means something to an agent, which polls until it is off. */
function withTimes(step: Mapped, { parameters }: CibDevice): DraftStep {
  const text = parameters.get('pcmk_off_timeout') ?? parameters.get('pcmk_reboot_timeout') ?? ''
  const seconds = spanSeconds(text)
  const usable = seconds === undefined || seconds < 0.1 ? undefined : Math.min(seconds, 600)
  return { ...step, common: set({ timeout_seconds: usable }) }
}
