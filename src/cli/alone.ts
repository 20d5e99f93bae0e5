/**
 * An order to switch a node's power where picketd is not configured: no quorum is needed and no
 * delay is kept, which is said before anybody agrees.
 */
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs'
import { homedir, hostname } from 'node:os'
import { join } from 'node:path'
import { onlyResets, resetsOnly } from '../core/orders.ts'
import { secretsIn } from '../daemon/devices.ts'
import { pacemakerHere } from '../daemon/strangers.ts'
import { createNet } from '../foreign/mask.ts'
import type { ExitCode } from './command.ts'
import { loadOrSay } from './config.ts'
import { knows } from './devices.ts'
import { plain } from './marks.ts'
import { confirmed, type OrderOptions, outcome, requester } from './order.ts'
import type { Terminal } from './terminal.ts'

export interface AloneOptions extends OrderOptions {
  readonly config: string
}

/** Tells that picketd has run on this machine, whatever runs on it now. */
const ledgerFile = '/var/lib/picket/ledger.json'

/** Carry out the order from here, or say why it has to go through picketd. */
export async function orderHere(options: AloneOptions, terminal: Terminal): Promise<ExitCode> {
  const { action, node, config, json } = options
  const loaded = await loadOrSay(config, terminal)
  if (loaded === undefined || !knows(loaded, node, terminal)) return 2
  const why = configuredHere(loaded.core.nodes.map(({ id }) => id))
  if (why !== undefined) {
    terminal.err(
      `picket fence: picketd is not running here, and ${why}: what it does not know of, it could ` +
        'work against. Start it (systemctl start picketd). Nothing was switched from here.',
    )
    return 1
  }
  const found = loaded.core.nodes.find(({ id }) => id === node)
  if (found === undefined || found.levels.length === 0) {
    terminal.err(`Refused: no fence device is configured for ${node}.`)
    return 3
  }
  if (action === 'off' && onlyResets(loaded.core, node)) {
    terminal.err(`Refused: ${resetsOnly(node)}.`)
    return 3
  }
  if (!options.yes && !(await confirmed(options, consequences(options), terminal))) return 3
  const stop = new AbortController()
  const interrupted = () => stop.abort()
  process.once('SIGINT', interrupted)
  const stateDir = stateDirOf(options.state)
  const unkept = whyNotKept(stateDir)
  if (unkept !== undefined) {
    terminal.err(`picket fence: the order cannot be recorded first: ${unkept}. Nothing was sent.`)
    return 1
  }
  const { orderAlone } = await import('../daemon/alone.ts')
  const ended = await terminal.during(
    `waiting for the devices of ${node}`,
    orderAlone({
      config: loaded.core,
      devices: loaded.devices.values(),
      stateDir,
      action,
      target: node,
      requester: requester(),
      reason: options.reason ?? `picket fence ${action}`,
      progress: (text) =>
        json ? terminal.out(JSON.stringify({ progress: text })) : terminal.err(plain(text)),
      clean: createNet(secretsIn(loaded.devices.values())),
      stop: stop.signal,
    }),
  )
  process.off('SIGINT', interrupted)
  if (ended === undefined) {
    terminal.err('Stopped. What was sent may still be carried out; the next order looks first.')
    process.exit(130)
  }
  const { at, because, verdict } = ended
  const line = { ok: at === 'done', refused: at === 'refused', because, verdict }
  if (json) terminal.out(JSON.stringify(line))
  return outcome(line, json, terminal)
}

/**
 * Why an order from this machine has to go through picketd; `undefined` where it need not. On a
 * node of Pacemaker picketd refuses to run, so nothing could be beside it.
 */
export function configuredHere(
  nodes: readonly string[],
  host = hostname(),
  ledger = ledgerFile,
  pacemaker = pacemakerHere(),
): string | undefined {
  if (pacemaker && !existsSync(ledger)) return undefined
  if (pacemaker) {
    return `it has run here before (${ledger}; take that file away where Pacemaker is to stay)`
  }
  const named = nodes.find((id) => id === host || id === host.split('.')[0])
  if (named !== undefined) return `this machine is ${named}, a node of its cluster`
  return existsSync(ledger) ? `it has run here before (${ledger})` : undefined
}

/** Where orders without picketd are recorded. */
export function stateDirOf(state: string | undefined): string {
  if (state !== undefined) return join(state, 'orders')
  if (process.getuid?.() === 0) return '/var/lib/picket/orders'
  const base = process.env.XDG_STATE_HOME || join(homedir(), '.local', 'state')
  return join(base, 'picket', 'orders')
}

/** Why nothing can be written there; `undefined` where it can. */
export function whyNotKept(stateDir: string): string | undefined {
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 })
    accessSync(stateDir, constants.W_OK)
    return undefined
  } catch (error) {
    return `${stateDir} cannot be written (${(error as NodeJS.ErrnoException).code}); see --state`
  }
}

function consequences({ action, node }: AloneOptions): readonly string[] {
  const free = 'picketd is not configured on this machine: the order needs no quorum and waits for'
  const dies = action === 'on' ? [] : [`Whatever runs on ${node} dies with its power.`]
  const told = `Pacemaker is not told: \`pcs stonith fence ${node}\` goes through it.`
  return [`${free} nobody.`, ...(pacemakerHere() ? [told] : []), ...dies]
}
