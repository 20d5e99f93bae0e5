/**
 * One call of an OCF resource agent: where it is installed, the environment that carries its
 * parameters, and what it says with its exit code.
 *
 * @source OCF Resource Agent API 1.1; Pacemaker Administration, "Resource Agents" (the
 * `OCF_RESKEY_CRM_meta_…` that agents rely on, and the codes 190 and 191).
 */
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { ending } from './ending.ts'
import type { ProgramEnd } from './program.ts'
import type { OperationContext } from './resource.ts'

export interface OcfOptions {
  /** `ocf:PROVIDER:TYPE`. */
  readonly agent: string
  readonly params: Parameters
  readonly secret_params: Parameters
  readonly check_level?: number | undefined
  readonly live: boolean
  /** How long each half of a live move may take. */
  readonly migrate_seconds?: number | undefined
}

/** How long each half of a live move may take; of a large guest it takes minutes. */
export function halfMs({ migrate_seconds = 120 }: OcfOptions): number {
  return 1_000 * migrate_seconds
}

export type Parameters = Readonly<Record<string, string | number | boolean>>

export type Action = 'monitor' | 'start' | 'stop' | 'validate-all' | 'migrate_to' | 'migrate_from'

export interface Agent {
  readonly provider: string
  readonly type: string
  readonly root: string
  /** The folder of its provider. */
  readonly folder: string
  readonly file: string
}

/** Made by the package of the agents, with this mode; they keep their marks of this boot in it. */
export const scratchFolder = '/run/resource-agents'

/** Where an agent is installed. */
export function agentOf(name: string): Agent {
  const [, provider = '', type = ''] = name.split(':')
  const root = process.env.OCF_ROOT || '/usr/lib/ocf'
  const folder = join(root, 'resource.d', provider)
  return { provider, type, root, folder, file: join(folder, type) }
}

/** What every agent is told, whatever it is asked. */
export function commonEnvironment({ provider, type, root }: Agent): Record<string, string> {
  return {
    OCF_ROOT: root,
    OCF_RA_VERSION_MAJOR: '1',
    OCF_RA_VERSION_MINOR: '1',
    OCF_RESOURCE_TYPE: type,
    OCF_RESOURCE_PROVIDER: provider,
    HA_RSCTMP: scratchFolder,
  }
}

export interface CallOptions {
  /** For what may outlive the daemon. */
  readonly logFile?: string
  /** Less than all the time that the operation has. */
  readonly boundMs?: number
}

/** Asks the agent for one action, and waits for its end. */
export async function callAgent(
  options: OcfOptions,
  context: OperationContext<unknown>,
  action: Action,
  { logFile, boundMs }: CallOptions = {},
): Promise<ProgramEnd> {
  const { file } = agentOf(options.agent)
  const bound = boundMs === undefined ? [] : ['timeout', '-k', '1', String(boundMs / 1000)]
  const end = await context.scope.run({
    argv: [...bound, file, action],
    lookFor: file,
    env: environment(options, context, action),
    ...(logFile !== undefined && { logFile }),
  })
  return { ...end, output: reasonIn(end.output) }
}

function environment(
  options: OcfOptions,
  { resource, cloneMax, op, move, deadlineMs, nowMs, monitorEveryMs }: OperationContext<unknown>,
  action: Action,
): Record<string, string> {
  const { agent, params, secret_params, check_level } = options
  const all = Object.entries({ ...params, ...secret_params })
  // A monitor with an interval of 0 is a probe: not to find it running is no failure then.
  const intervalMs = op === 'monitor' ? Math.round(monitorEveryMs) : 0
  return {
    ...commonEnvironment(agentOf(agent)),
    ...Object.fromEntries(all.map(([name, value]) => [`OCF_RESKEY_${name}`, String(value)])),
    OCF_RESOURCE_INSTANCE: resource,
    // Agents that may not run on two nodes look for it, and refuse.
    ...(cloneMax !== undefined && {
      OCF_RESKEY_CRM_meta_clone_max: String(cloneMax),
      OCF_RESKEY_CRM_meta_clone_node_max: '1',
      OCF_RESKEY_CRM_meta_globally_unique: 'false',
    }),
    ...(move !== undefined && {
      OCF_RESKEY_CRM_meta_migrate_source: move.source,
      OCF_RESKEY_CRM_meta_migrate_target: move.target,
    }),
    OCF_RESKEY_CRM_meta_name: action,
    OCF_RESKEY_CRM_meta_interval: String(intervalMs),
    OCF_RESKEY_CRM_meta_timeout: String(Math.max(1000, Math.round(deadlineMs - nowMs()))),
    ...(op === 'monitor' && check_level !== undefined && { OCF_CHECK_LEVEL: String(check_level) }),
  }
}

/** Agents have a way to say why, among all that their tools print. */
function reasonIn(output: string): string {
  const reasons = output.split('\n').filter((line) => line.startsWith('ocf-exit-reason:'))
  return reasons.at(-1)?.slice('ocf-exit-reason:'.length).trim() || output
}

/** What the standard means by an exit code; `8` and `9` by its words of 1.1. */
const meanings: Readonly<Record<number, string>> = {
  0: 'success',
  1: 'it failed',
  2: 'a parameter is wrong',
  3: 'it has no such action',
  4: 'it may not',
  5: 'something that it needs is not installed here',
  6: 'it is not configured rightly',
  7: 'not running',
  8: 'running, and promoted',
  9: 'failed while promoted',
  124: 'out of time',
  190: 'running, but degraded',
  191: 'running, promoted and degraded',
}

/** How a call has ended, in words. */
export function wordsOf(end: ProgramEnd, action: string, { agent }: OcfOptions): string {
  const { file } = agentOf(agent)
  const means = (code = 0) => (meanings[code] === undefined ? '' : ` (${meanings[code]})`)
  return `${action} ${ending(end, file, means)}`
}

/**
 * The agent was not run, or says that with these parameters on this node it cannot be: by the
 * standard it has then touched nothing.
 */
export function isRefusal({ code, notRun }: ProgramEnd): boolean {
  if (notRun !== undefined) return notRun === 'missing' || notRun === 'forbidden'
  return code === 2 || code === 5 || code === 6
}

/** Is there such an agent here, and may it be run? */
export async function isInstalled({ file }: Agent): Promise<boolean> {
  return await access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}
