/**
 * How `picket respond` carries out a request by the configuration of this machine: through the
 * picketd of this node and nowhere else (S21), and where none is configured with the same engine
 * from here, as `picket fence` does.
 */
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Loaded, loadConfig } from '../config/load.ts'
import { problemText } from '../config/problem.ts'
import type { Verdict } from '../core/message.ts'
import { onlyResets, resetsOnly } from '../core/orders.ts'
import type { OrderState } from '../core/state.ts'
import { orderAlone } from '../daemon/alone.ts'
import { secretsIn } from '../daemon/devices.ts'
import { createNet } from '../foreign/mask.ts'
import type { Request } from '../recorder/message.ts'
import type { Attempt, Outcome, Say, Work } from '../respond/work.ts'
import { configuredHere } from './alone.ts'
import { askDaemon, ControlError, mayBeAlone, socketPath } from './control.ts'
import { judge, readAll } from './devices.ts'
import { isProvenOff, whyNotHandedOver } from './hand-over.ts'

export interface EngineOptions {
  readonly config: string
  readonly socket: string | undefined
  readonly stateDir: string
  readonly say: Say
}

/** Throws a sentence where the configuration cannot be used. */
export async function engineWork(options: EngineOptions): Promise<Work> {
  const configured = await openConfig(options)
  return {
    nodes: () => configured.last().core.nodes.map(({ id }) => id),
    async carryOut(request, attempt) {
      try {
        return await carryOut(options, await configured.now(), request, attempt)
      } catch (error) {
        return { success: false, message: error instanceof Error ? error.message : String(error) }
      }
    },
  }
}

/** The configuration as it is now: read again when one of its files has changed. */
async function openConfig({ config, say }: EngineOptions) {
  const load = async (): Promise<Loaded> => {
    const result = await loadConfig(config)
    if (result.ok) return result.loaded
    throw new Error(`${config} is not valid: ${result.problems.map(problemText).join('; ')}`)
  }
  let last = await load()
  let mark = markOf(last)
  return {
    last: () => last,
    async now(): Promise<Loaded> {
      const fresh = markOf(last)
      if (fresh === mark) return last
      mark = fresh
      try {
        last = await load()
        mark = markOf(last)
        say('info', `${config} has changed and was read again.`)
      } catch (error) {
        say('alarm', `It goes on with the configuration as it was: ${(error as Error).message}.`)
      }
      return last
    },
  }
}

const markOf = ({ file, secretsFiles }: Loaded): string =>
  [file, ...secretsFiles].map((path) => (existsSync(path) ? statSync(path).mtimeMs : 0)).join()

async function carryOut(
  options: EngineOptions,
  loaded: Loaded,
  request: Request,
  attempt: Attempt,
): Promise<Outcome> {
  const { action, target_node: target } = request
  const node = loaded.core.nodes.find(({ id }) => id === target)
  const final = true as const
  if (node === undefined) {
    return { success: false, message: `there is no node "${target}" in the configuration`, final }
  }
  if (node.levels.length === 0) {
    return { success: false, message: `no fence device is configured for ${target}`, final }
  }
  if (action === 'status') {
    const readings = await readAll(loaded, target)
    const { power, because } = judge(readings)
    return { success: power !== 'unknown', message: `${target} is ${power}: ${because}`, power }
  }
  if (!mayBeAlone(options.socket)) {
    const stranger = await whyNotHandedOver(socketPath(options.socket), loaded.core.cluster)
    if (stranger !== undefined) return { success: false, message: stranger, final }
    return await throughDaemon(options, request, attempt)
  }
  const why = configuredHere(loaded.core.nodes.map(({ id }) => id))
  if (why !== undefined) {
    return { success: false, message: `picketd is not running here, and ${why}: start it` }
  }
  if (action === 'off' && onlyResets(loaded.core, target)) {
    return { success: false, message: resetsOnly(target), final }
  }
  return await fromHere(options, loaded, request, attempt)
}

const orderId = ({ request_id }: Request): string => `request-${request_id}`

async function fromHere(
  options: EngineOptions,
  loaded: Loaded,
  request: Request,
  { number, signal, wanted }: Attempt,
): Promise<Outcome> {
  const { stateDir } = options
  const { target_node: target, action, recorder_node: recorder } = request
  const id = orderId(request)
  // A node that was proven off and is to be on again is not switched off twice.
  const before = action === 'reboot' ? provenOff(stateDir, target, id) : undefined
  if (before !== undefined) return rebooted(target, before)
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  const ended = await orderAlone({
    ...{ config: loaded.core, devices: loaded.devices.values(), stateDir, target, wanted },
    action: action as 'off' | 'on' | 'reboot',
    id: number === 1 ? id : `${id}-${number}`,
    requester: `fence_recorder on ${recorder || 'an unnamed machine'}`.slice(0, 200),
    reason: `request ${request.request_id}`,
    progress: () => {},
    ...{ clean: createNet(secretsIn(loaded.devices.values())), stop: signal },
  })
  if (ended === undefined) {
    const message = 'timed out: it was stopped at its deadline; what was sent may still be done'
    return { success: false, message }
  }
  const proven = ended.at !== 'done' && action === 'reboot' && provenOff(stateDir, target, id)
  return proven ? rebooted(target, proven) : outcomeOf(ended)
}

/** What a reboot owes is the off: that it comes on again is tried, and promised by nobody. */
function rebooted(target: string, text: string): Outcome {
  const message = `${target} was proven off (${text}); it may have to be switched on by hand`
  return { success: true, message, evidence: { proven: true, text } }
}

function outcomeOf({ at, because, verdict }: OrderState): Outcome {
  const evidence = verdict && evidenceOf(verdict)
  return { success: at === 'done', message: because, ...(evidence && { evidence }) }
}

function evidenceOf({ proven, text, level, tookMs, evidence }: Verdict): object {
  const readings = evidence.map(({ device, raw, askedMs }) => ({ device, raw, askedMs }))
  return { proven, text, level, tookMs, readings }
}

/** What proved it off, by the record of that order; `undefined` where nothing has. */
function provenOff(stateDir: string, target: string, id: string): string | undefined {
  const path = join(stateDir, target, 'fencing.jsonl')
  if (!existsSync(path)) return undefined
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    if (!line.includes(id) || !line.includes('"verdict"')) continue
    try {
      const { what, id: of, proven, text } = JSON.parse(line) as Record<string, unknown>
      const own = typeof of === 'string' && (of === id || of.startsWith(`${id}-`))
      if (what === 'verdict' && own && proven === true) return String(text)
    } catch {
      // The torn line of a crash proves nothing.
    }
  }
  return undefined
}

/** Longer than any round of fencing with its retries is silent. */
const silenceMs = 600_000

async function throughDaemon(
  { socket }: EngineOptions,
  request: Request,
  { number, resumed, signal }: Attempt,
): Promise<Outcome> {
  const { action, target_node: target, recorder_node: recorder, request_id } = request
  const path = socketPath(socket)
  if (action === 'reboot' && (resumed || number > 1)) {
    // The order outlives whoever gave it: given twice, a node that is back would be rebooted again.
    if (await isProvenOff(path, target)) return rebooted(target, 'picketd says so')
    const message = 'picketd was told to reboot it before, and is not told twice: ask once more'
    return { success: false, message, final: true }
  }
  const order = {
    ...{ do: 'fence', action, target, reason: `request ${request_id}` },
    requester: `fence_recorder on ${recorder || 'an unnamed machine'}`.slice(0, 200),
  }
  const late = Promise.withResolvers<Outcome>()
  const message = 'timed out: picketd goes on with it'
  const giveUp = () => late.resolve({ success: false, message, final: true })
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    return await Promise.race([followed(path, order), late.promise])
  } catch (error) {
    if (!(error instanceof ControlError)) throw error
    return { success: false, message: error.message }
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

async function followed(path: string, order: { action: string; target: string }): Promise<Outcome> {
  for await (const line of askDaemon(path, order, { silenceMs })) {
    if (typeof line.progress === 'string') continue
    const verdict = line.verdict as Verdict | undefined
    const text = String(line.because ?? verdict?.text ?? 'picketd gave no reason')
    const evidence = verdict && evidenceOf(verdict)
    const off = line.ok !== true && order.action === 'reboot'
    if (off && (await isProvenOff(path, order.target))) return rebooted(order.target, text)
    return { success: line.ok === true, message: text, ...(evidence && { evidence }) }
  }
  return { success: false, message: 'picketd ended the connection before it told the outcome' }
}
