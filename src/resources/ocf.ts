/**
 * A resource made of an installed OCF resource agent: parameters in its environment, one verdict as
 * an exit code.
 *
 * An agent is a foreign program: it may hang, fork, print without end, and be missing on a node. A
 * process that its start leaves in the background is the service and ends with the stop. Many leave
 * none (an address, a mount), so what may be up here is remembered on disk until the agent has said
 * that it is stopped. Only where nothing is remembered does an agent that cannot be run count for a
 * resource that is stopped: a wrong `stopped` would run it twice (safety.md, H5).
 *
 * @source OCF Resource Agent API 1.1.
 */
import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { z } from 'zod'
import { secretName } from '../foreign/parameters.ts'
import { canonicalAddress } from './address.ts'
import { advise, whyNoLiveMove } from './ocf-advice.ts'
import {
  type Action,
  callAgent,
  halfMs,
  isRefusal,
  type OcfOptions,
  scratchFolder,
  wordsOf,
} from './ocf-agent.ts'
import { describe } from './process.ts'
import type { ProgramEnd } from './program.ts'
import { defineResourceType, type OperationContext, type Ran } from './resource.ts'
import { joinWords } from './words.ts'

const NOT_RUNNING = 7
const PROMOTED = 8
const DEGRADED = 190
const PROMOTED_DEGRADED = 191

/** `validate-all` looks at parameters: it has no business with more. */
const VALIDATE_MAX_MS = 10_000
const THING_MAX = 250

const value = z.union([
  z
    .string()
    .max(16_384)
    .regex(/^[^\0]*$/, 'is no text for an environment variable'),
  z.number(),
  z.boolean(),
])
const parameters = z.record(
  z
    .string()
    .regex(/^[A-Za-z_]\w*$/, 'is no name of a parameter')
    .refine((name) => !/^crm_/i.test(name), 'is set by picketd'),
  value,
)

const schema = z
  .strictObject({
    agent: z
      .string()
      .regex(
        /^(ocf:)?[A-Za-z0-9][\w.-]*:[A-Za-z0-9][\w.-]*$/,
        'ocf:PROVIDER:TYPE, for example ocf:heartbeat:Filesystem',
      )
      .regex(/^(?!(systemd|lsb|service|stonith|nagios|upstart):)/, 'an OCF agent')
      .meta({ title: 'The agent, for example `ocf:heartbeat:Filesystem`' }),
    params: parameters.default({}).meta({
      title: 'Its parameters, as its manual page names them',
    }),
    secret_params: parameters.default({}).meta({
      title: 'Those of its parameters that nobody may see: passwords and the like',
      secret: true,
    }),
    check_level: z.int().min(0).max(100).optional().meta({
      title: 'How thorough its monitor is (`OCF_CHECK_LEVEL`): 10 or 20, where the agent knows it',
    }),
    live: z.boolean().default(false).meta({
      title: 'It is moved live where its agent has `migrate_to` and `migrate_from`',
    }),
    migrate_seconds: z.number().min(1).max(86_400).optional().meta({
      title: 'How long each half of a live move may take; 120 when left out',
    }),
  })
  .refine(({ live, migrate_seconds }) => live || migrate_seconds === undefined, {
    path: ['migrate_seconds'],
    message: 'is how long a live move may take, and there is none without live: true',
  })
  .refine(({ params }) => !Object.keys(params).some((name) => secretName.test(name)), {
    path: ['params'],
    message: 'holds a password; write it in secret_params, in the secrets file',
  })
  .refine(({ params, secret_params }) => !Object.keys(params).some((k) => k in secret_params), {
    path: ['params'],
    message: 'has a parameter in common with secret_params',
  })

interface Memory {
  /** Its parameters were found good by the agent in this life of the daemon. */
  validated: boolean
  degraded: boolean
}
type Context = OperationContext<Memory>

/** Any installed OCF resource agent. */
export const ocf = defineResourceType({
  name: 'ocf',
  title: 'Any installed OCF resource agent',
  options: schema,
  leavesProcesses: true,
  memory: (): Memory => ({ validated: false, degraded: false }),
  thing,
  whyNoClone: (options) =>
    thing(options).startsWith('address ') ? 'an address must never be on two nodes at once' : '',
  advise: (options, terms) => advise(named(options), terms),

  async probe(given, context) {
    const options = named(given)
    const { service } = context
    const end = await callAgent(options, context, 'monitor')
    const detail = wordsOf(end, 'probe', options)
    if (isUp(end)) {
      keep(context, () => service.rememberUp())
      return { outcome: 'running', detail }
    }
    if (end.code === NOT_RUNNING) {
      // Agents that have lost their pid file say so of a service that lives.
      const pids = await service.pids()
      const alive = `${detail}, but ${describe(pids)} of its start is alive`
      if (pids.length > 0) return { outcome: 'unknown', detail: alive }
      keep(context, () => service.forgetUp())
      return { outcome: 'stopped', detail }
    }
    if (!isRefusal(end)) return { outcome: 'unknown', detail }
    if (!(await mayBeUp(context))) {
      return { outcome: 'stopped', detail: `${detail}; it was not started here` }
    }
    return { outcome: 'unknown', detail: `${detail}; it was started here, so nobody can tell` }
  },

  async start(given, context) {
    const options = named(given)
    await mkdir(scratchFolder, { recursive: true, mode: 0o1755 }).catch(() => undefined)
    const invalid = await validate(options, context)
    if (invalid !== undefined) return invalid
    const { service } = context
    service.rememberUp()
    const end = await callAgent(options, context, 'start', { logFile: service.logFile })
    if (end.code === 0) return { outcome: 'done', detail: 'started' }
    const detail = wordsOf(end, 'start', options)
    const untouched = isRefusal(end) && (await service.pids()).length === 0
    if (untouched) keep(context, () => service.forgetUp())
    return { outcome: 'failed', detail }
  },

  async stop(given, context) {
    const options = named(given)
    const end = await callAgent(options, context, 'stop')
    const detail = wordsOf(end, 'stop', options)
    if (end.code === 0) {
      keep(context, () => context.service.forgetUp())
      return { outcome: 'done', detail }
    }
    if (isRefusal(end) && !(await mayBeUp(context))) {
      return { outcome: 'done', detail: `${detail}; it was not started here` }
    }
    return { outcome: 'failed', detail }
  },

  live: {
    boundMs: (options) => (options.live ? halfMs(options) : undefined),
    async to(given, context) {
      const options = named(given)
      // An agent that does not know the word may say yes to it all the same.
      const why = await whyNoLiveMove(options.agent)
      if (why !== '') return { outcome: 'failed', detail: why }
      const end = await callAgent(options, context, 'migrate_to')
      const detail = wordsOf(end, 'migrate_to', options)
      return { outcome: end.code === 0 ? 'done' : 'failed', detail }
    },
    async from(given, context) {
      const options = named(given)
      const { service } = context
      // From the moment of its sending it may be up here, whatever becomes of this.
      service.rememberUp()
      const end = await callAgent(options, context, 'migrate_from', { logFile: service.logFile })
      const detail = wordsOf(end, 'migrate_from', options)
      return { outcome: end.code === 0 ? 'done' : 'failed', detail }
    },
  },

  async monitor(given, context) {
    const options = named(given)
    const end = await callAgent(options, context, 'monitor')
    const detail = wordsOf(end, 'monitor', options)
    if (end.notRun !== undefined) return { outcome: 'unknown', detail }
    if (end.code === NOT_RUNNING) return { outcome: 'stopped', detail }
    if (end.code === 0 || end.code === DEGRADED) {
      noteDegraded(context, end, detail)
      return { outcome: 'running', detail }
    }
    if (!isUp(end)) return { outcome: 'failed', detail }
    return { outcome: 'failed', detail: `${detail}; nobody here promotes anything` }
  },
})

/** With its class in its name, whichever way it was written. */
function named<Given extends OcfOptions>(options: Given): Given {
  const { agent } = options
  return agent.startsWith('ocf:') ? options : { ...options, agent: `ocf:${agent}` }
}

/** Promoted, too, is up: whoever asks whether it may run elsewhere has to be told so. */
function isUp({ code }: ProgramEnd): boolean {
  return code === 0 || code === PROMOTED || code === DEGRADED || code === PROMOTED_DEGRADED
}

async function mayBeUp({ service }: Context): Promise<boolean> {
  return (await service.mayBeUp()) || (await service.pids()).length > 0
}

/** A disk that takes nothing must not make of what was seen something else. */
function keep({ say }: Context, note: () => void): void {
  try {
    note()
  } catch (error) {
    say('warn', `whether it is up cannot be kept: ${(error as Error).message}`)
  }
}

/** Once in the life of a daemon, before the first start: are the parameters good for anything? */
async function validate(options: OcfOptions, context: Context): Promise<Ran | undefined> {
  const { memory, deadlineMs, nowMs, say } = context
  if (memory.validated) return undefined
  const action: Action = 'validate-all'
  const boundMs = Math.min(VALIDATE_MAX_MS, (deadlineMs - nowMs()) / 2)
  const end = await callAgent(options, context, action, { boundMs })
  const detail = wordsOf(end, action, options)
  if (isRefusal(end)) return { outcome: 'failed', detail: `not started: its ${detail}` }
  memory.validated = true
  // An agent without it says 3, and some of them something else: only its start can tell then.
  if (end.code !== 0 && end.code !== 3) say('warn', `its ${detail}; it is started all the same`)
  return undefined
}

function noteDegraded({ memory, say }: Context, { code }: ProgramEnd, detail: string): void {
  const degraded = code === DEGRADED
  if (degraded && !memory.degraded) say('warn', detail)
  if (!degraded && memory.degraded) say('info', 'it is not degraded any more')
  memory.degraded = degraded
}

/** Agents that hold an address, which the type `vip` may hold as well. */
const addresses: Readonly<Record<string, string>> = {
  'ocf:heartbeat:IPaddr2': 'ip',
  'ocf:heartbeat:IPaddr': 'ip',
  'ocf:heartbeat:IPv6addr': 'ipv6addr',
}

/**
 * The agent with all of its parameters but the secret ones: which of them make it one of a kind
 * only the agent knows, and it is not asked for that.
 */
function thing(given: OcfOptions): string {
  const { agent, params } = named(given)
  const address = params[addresses[agent] ?? '']
  if (address !== undefined) {
    return `address ${canonicalAddress(String(address).replace(/\/\d+$/, ''))}`
  }
  const words = Object.entries(params)
    .map(([name, value]) => `${name}=${value}`)
    .sort()
  const text = joinWords([agent, ...words])
  if (text.length <= THING_MAX) return text
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 16)
  return `${text.slice(0, THING_MAX - 20)}… ${digest}`
}
