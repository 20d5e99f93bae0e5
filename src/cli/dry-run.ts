/**
 * `picket fence … --dry-run`: the whole decision, real readings and real checks, and nothing that
 * changes power.
 */
import type { Loaded } from '../config/load.ts'
import { deviceText } from '../config/show.ts'
import { onlyResets, resetsOnly } from '../core/orders.ts'
import { configuredHere } from './alone.ts'
import type { ExitCode } from './command.ts'
import { loadOrSay } from './config.ts'
import { askOnce, ControlError, mayBeAlone, socketPath } from './control.ts'
import {
  type Check,
  checkAll,
  judge,
  knows,
  type Reading,
  readAll,
  readingLines,
} from './devices.ts'
import type { PowerAction } from './fence.ts'
import { plain } from './marks.ts'
import { statusIn } from './status.ts'
import type { Terminal } from './terminal.ts'

export interface DryRunOptions {
  readonly action: PowerAction
  readonly node: string
  readonly config: string
  readonly socket: string | undefined
  readonly json: boolean
}

/** What an order would lead to. */
interface Outlook {
  readonly node: string
  readonly action: PowerAction
  readonly power: string
  readonly because: string
  readonly devices: readonly Reading[]
  readonly checks: readonly Check[]
  /** Why it would be refused; empty where it would not. */
  readonly refused: string
  /** Who would carry it out. */
  readonly way: string
  readonly levels: readonly {
    readonly level: number
    readonly steps: readonly {
      readonly device: string
      readonly where: string
      readonly does: string
    }[]
    /** Addresses that would have to be silent. */
    readonly silence: readonly string[]
  }[]
}

/** Say what an order would lead to; reads power and the daemon's status, checks the devices. */
export async function dryRun(options: DryRunOptions, terminal: Terminal): Promise<ExitCode> {
  const { action, node, config, json } = options
  const loaded = await loadOrSay(config, terminal)
  if (loaded === undefined || !knows(loaded, node, terminal)) return 2
  const outlook = await lookAhead(options, loaded, terminal)
  if (json) terminal.out(JSON.stringify(outlook))
  else for (const line of linesOf(outlook)) terminal.out(line)
  if (outlook.refused !== '') {
    terminal.err(`The order would be refused: ${outlook.refused}.`)
    return 3
  }
  const unable = outlook.checks.filter(({ ok }) => !ok).map(({ device }) => device)
  const able = outlook.levels.some(({ steps }) =>
    steps.every(({ device }) => !unable.includes(device)),
  )
  if (able) return 0
  const verb = action === 'on' ? 'switch' : 'fence'
  terminal.err(`No level could be used now: ${unable.join(', ')} would not ${verb}.`)
  return 1
}

async function lookAhead(
  options: DryRunOptions,
  loaded: Loaded,
  terminal: Terminal,
): Promise<Outlook> {
  const { action, node } = options
  const asked = Promise.all([readAll(loaded, node), checkAll(loaded, node)])
  const [devices, checks] = await terminal.during(`asking the devices of ${node}`, asked)
  const levels = loaded.core.nodes.find(({ id }) => id === node)?.levels ?? []
  return {
    ...{ node, action, devices, checks },
    ...judge(devices),
    refused: refusalOf(options, loaded),
    way: await wayOf(options, loaded),
    levels: levels.map(({ devices: ids, verify }, index) => ({
      level: index + 1,
      steps: ids.map((id) => stepOf(id, options, loaded)),
      silence: verify && action !== 'on' ? addressesOf(loaded, node) : [],
    })),
  }
}

function refusalOf({ action, node }: DryRunOptions, { core }: Loaded): string {
  const levels = core.nodes.find(({ id }) => id === node)?.levels ?? []
  if (levels.length === 0) return `no fence device is configured for ${node}`
  return action === 'off' && onlyResets(core, node) ? resetsOnly(node) : ''
}

const addressesOf = ({ core }: Loaded, node: string): readonly string[] =>
  core.nodes.find(({ id }) => id === node)?.addresses ?? []

function stepOf(id: string, { action }: DryRunOptions, { details }: Loaded) {
  const known = details.topology.devices.find((device) => device.id === id)
  const resets = action !== 'on' && known?.config.isolation === 'new-boot'
  const where = known === undefined ? '' : deviceText(known)
  return { device: id, where, does: resets ? resetDeeds[action] : deeds[action] }
}

function* linesOf({ node, action, power, because, devices, checks, way, levels }: Outlook) {
  yield `${node} is ${power} now: ${because}`
  yield* readingLines(devices)
  for (const { device, ok, detail } of checks) {
    if (!ok) yield `  ${device} could not fence now: ${plain(detail)}`
  }
  yield `\n\`picket fence ${action} ${node}\` would be ${way}`
  yield 'and tried in this order until one level is proven:'
  for (const { level, steps, silence } of levels) {
    yield `  level ${level}`
    for (const { device, where, does } of steps) {
      yield `    ${device}${where && ` (${where})`}: ${does}`
    }
    if (silence.length > 0) yield `    then silence on ${silence.join(', ')}`
  }
  yield '\nNothing was switched.'
}

const deeds: Readonly<Record<PowerAction, string>> = {
  off: 'off, then off read back twice',
  on: 'on, then on read back',
  reboot: 'off, then off read back twice; on when the whole level is proven off',
}

/** Where it can only be reset. */
const resetDeeds: Readonly<Record<Exclude<PowerAction, 'on'>, string>> = {
  off: 'passed over, unless it is off already: a reset does not leave it off',
  reboot: 'its boot read, reset, then another boot read back twice',
}

async function wayOf({ socket }: DryRunOptions, { core }: Loaded): Promise<string> {
  const nodes = core.nodes.map(({ id }) => id)
  if (mayBeAlone(socket) && configuredHere(nodes) === undefined) {
    return 'carried out from here, without quorum: picketd is not configured on this machine,'
  }
  return `sent to ${await daemonText(socket)}`
}

async function daemonText(socket: string | undefined): Promise<string> {
  const path = socketPath(socket)
  try {
    const status = statusIn(await askOnce(path, { do: 'status' }))
    if (status === undefined) return `picketd at ${path}, which does not tell how it is`
    const state = status.ready ? 'is ready' : `cannot decide now (${plain(status.because)})`
    return `picketd at ${path}, which ${state},`
  } catch (error) {
    if (!(error instanceof ControlError)) throw error
    return `picketd, but ${error.message};`
  }
}
