/**
 * `picket fence … --dry-run`: the whole decision and real readings, and nothing that changes power.
 */
import type { Loaded } from '../config/load.ts'
import { deviceText } from '../config/show.ts'
import { configuredHere } from './alone.ts'
import type { ExitCode } from './command.ts'
import { loadOrSay } from './config.ts'
import { askOnce, ControlError, mayBeAlone, socketPath } from './control.ts'
import { judge, knows, readAll, readingLines } from './devices.ts'
import type { PowerAction } from './fence.ts'
import { plain } from './screen.ts'
import { statusIn } from './status.ts'
import type { Terminal } from './terminal.ts'

export interface DryRunOptions {
  readonly action: PowerAction
  readonly node: string
  readonly config: string
  readonly socket: string | undefined
}

/** Say what an order would lead to; reads power and the daemon's status. */
export async function dryRun(options: DryRunOptions, terminal: Terminal): Promise<ExitCode> {
  const { action, node, config } = options
  const { out } = terminal
  const loaded = await loadOrSay(config, terminal)
  if (loaded === undefined || !knows(loaded, node, terminal)) return 2
  const found = loaded.core.nodes.find(({ id }) => id === node)
  if (found === undefined || found.levels.length === 0) {
    terminal.err(`${node} has no fence device: the order would be refused.`)
    return 3
  }
  const readings = await terminal.during(`asking the devices of ${node}`, readAll(loaded, node))
  const { power, because } = judge(readings)
  out(`${node} is ${power} now: ${because}`)
  for (const line of readingLines(readings)) out(line)
  out(`\n\`picket fence ${action} ${node}\` would be ${await wayOf(options, loaded)}`)
  out('and tried in this order until one level is proven:')
  for (const [index, { devices, verify }] of found.levels.entries()) {
    out(`  level ${index + 1}`)
    for (const id of devices) {
      const details = loaded.details.topology.devices.find((device) => device.id === id)
      const where = details === undefined ? '' : ` (${deviceText(details)})`
      const resets = action !== 'on' && details?.config.isolation === 'new-boot'
      out(`    ${id}${where}: ${resets ? resetDeeds[action] : deeds[action]}`)
    }
    const silence = `silence on ${found.addresses.join(', ')}`
    if (verify && action !== 'on') out(`    then ${silence}`)
  }
  out('\nNothing was switched.')
  return 0
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
