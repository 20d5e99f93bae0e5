/**
 * A resource made of the user's own programs, in one of two forms.
 *
 * `run: PROGRAM` stays in the foreground for as long as the service runs; picket puts it in the
 * background, keeps its output, and ends it with SIGTERM, then SIGKILL.
 *
 * `start: PROGRAM` begins the service and exits with 0 when it is up; what it leaves in the
 * background is the service. `stop: PROGRAM` exits with 0 when the service is down; whatever is
 * then left of it is killed. `monitor: PROGRAM` exits with 0 when it runs and with 7 when it is
 * stopped, as OCF agents do; anything else means that it is broken (monitor) or that nobody can
 * tell (probe). Without `monitor`, the service runs as long as a process of it lives.
 *
 * @source OCF Resource Agent API 1.1, return codes (OCF_SUCCESS 0, OCF_NOT_RUNNING 7).
 */
import { posix } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { accountOf } from './account.ts'
import { ending } from './ending.ts'
import { describe } from './process.ts'
import type { Program } from './program.ts'
import { defineResourceType, type OperationContext, type Ran } from './resource.ts'
import { joinWords, splitWords } from './words.ts'

const NOT_RUNNING = 7
/** A program that cannot even begin ends within this; a service that is up goes on. */
const SETTLE_MS = 100
/** Kept back from a stop's time for SIGKILL and the proof. */
const KILL_RESERVE_MS = 1000

const word = z
  .string()
  .max(4096)
  .refine((text) => !text.includes('\0'), 'holds a NUL byte')

/** A program with its arguments, as words or as one line. */
export const commandLine = z
  .union([z.string().max(16_384), z.array(word).min(1).max(256)])
  .transform((line, context): readonly string[] => {
    try {
      const words = typeof line === 'string' ? splitWords(line) : line
      if (words[0] !== undefined && words[0] !== '') return words
      context.issues.push({ code: 'custom', message: 'names no program', input: line })
    } catch (error) {
      context.issues.push({ code: 'custom', message: (error as Error).message, input: line })
    }
    return z.NEVER
  })

const schema = z
  .strictObject({
    run: commandLine.optional().meta({
      title: 'Program that stays in the foreground while the service runs; instead of `start`',
    }),
    start: commandLine.optional().meta({ title: 'Program that starts the service and exits' }),
    stop: commandLine.optional().meta({
      title: 'Program that stops the service; SIGTERM to all of its processes by default',
    }),
    monitor: commandLine.optional().meta({
      title: 'Program that exits with 0 when the service runs and with 7 when it is stopped',
    }),
    env: z
      .record(z.string().regex(/^[A-Za-z_]\w*$/), word)
      .default({})
      .meta({ title: 'Environment variables for all of these programs' }),
    user: z
      .string()
      .regex(/^[A-Za-z0-9_][\w.-]*\$?$/)
      .optional()
      .meta({ title: 'User that these programs run as' }),
    directory: z
      .string()
      .startsWith('/')
      .optional()
      .meta({ title: 'Directory that these programs run in' }),
  })
  .refine((options) => (options.run === undefined) !== (options.start === undefined), {
    error: 'exactly one of `run` and `start` is needed',
  })
  // The same for editors.
  .meta({ oneOf: [{ required: ['run'] }, { required: ['start'] }] })

type Options = z.output<typeof schema>
type Context = OperationContext<undefined>

/** Programs of the user's. */
export const exec = defineResourceType({
  name: 'exec',
  title: 'Programs of your own',
  options: schema,
  leavesProcesses: true,
  memory: () => undefined,

  // The environment is left out: it may hold secrets, and this text is logged and sent around.
  whyNoClone: () => '',
  thing: (options) =>
    `program ${joinWords(canonical(options.run ?? options.start ?? [], options))}`,

  async probe(options, context) {
    const ran = await look(options, context)
    // A broken service may be half up: that is not stopped, and nobody can say what it is.
    return ran.outcome === 'failed' ? { ...ran, outcome: 'unknown' } : ran
  },

  start: (options, context) =>
    options.run === undefined
      ? startInBackground(options, context, options.start ?? [])
      : startForeground(options, context, options.run),

  async stop(options, context) {
    if (options.stop !== undefined) {
      const end = await context.scope.run(await program(options, context, options.stop))
      const outcome = end.code === 0 ? 'done' : 'failed'
      return { outcome, detail: `stop ${ending(end, options.stop[0])}` }
    }
    const graceMs = Math.max(0, context.deadlineMs - context.nowMs() - KILL_RESERVE_MS)
    const { gone, killed, because } = await context.service.end(graceMs)
    if (!gone) return { outcome: 'failed', detail: `its processes are not gone: it ${because}` }
    if (killed.length === 0) return { outcome: 'done', detail: 'all of its processes have ended' }
    const detail = `SIGTERM did not end ${killed.slice(0, 5).join(', ')}, so it was killed`
    return { outcome: 'done', detail }
  },

  monitor: look,
})

/** Looks whether the service runs: with `monitor`, or by its processes. */
async function look(options: Options, context: Context): Promise<Ran> {
  if (options.run !== undefined) {
    const ran = await lookAtMain(context)
    // Where our own look already says "not running", no program can say otherwise.
    if (ran.outcome !== 'running' || options.monitor === undefined) return ran
  }
  if (options.monitor === undefined) return await lookAtProcesses(context)
  const end = await context.scope.run(await program(options, context, options.monitor))
  const detail = `monitor ${ending(end, options.monitor[0])}`
  if (end.notRun !== undefined) return await withoutMonitor(options, context, detail)
  if (end.code === 0) return { outcome: 'running', detail }
  return { outcome: end.code === NOT_RUNNING ? 'stopped' : 'failed', detail }
}

async function lookAtProcesses({ service }: Context): Promise<Ran> {
  const pids = await service.pids()
  if (pids.length === 0) return { outcome: 'stopped', detail: 'none of its processes is left' }
  return { outcome: 'running', detail: `${describe(pids)} runs` }
}

async function lookAtMain(context: Context): Promise<Ran> {
  const ran = await lookAtProcesses(context)
  if (ran.outcome !== 'running' || context.service.main() !== 'dead') return ran
  const detail = `its program has ended and left ${describe(await context.service.pids())} behind`
  return { outcome: 'failed', detail }
}

/**
 * The monitor program cannot be executed. That is no proof of anything, but for one case: where the
 * program that starts the service is not on this disk either and no process of it lives here, this
 * node cannot be running it (its file system is mounted elsewhere, for example).
 */
async function withoutMonitor(options: Options, context: Context, detail: string): Promise<Ran> {
  const starter = options.run ?? options.start ?? []
  const pids = await context.service.pids()
  if (pids.length === 0 && (await isMissing(options, context, starter))) {
    return {
      outcome: 'stopped',
      detail: `${detail}, nor a ${starter[0]} that could have started it, nor a process of it`,
    }
  }
  const mend = "install it here, or take this node out of the resource's `nodes`"
  const because = `${detail}, so nobody can tell whether the service runs; ${mend}`
  return { outcome: 'unknown', detail: because }
}

async function isMissing(
  options: Options,
  context: Context,
  argv: readonly string[],
): Promise<boolean> {
  // The wrapper looks for the program by name; what it would execute does nothing.
  const probe = await program(options, context, ['true'])
  const end = await context.scope.run({ ...probe, argv: ['true'], lookFor: argv[0] ?? '' })
  return end.notRun === 'missing'
}

async function startInBackground(
  options: Options,
  context: Context,
  argv: readonly string[],
): Promise<Ran> {
  const logFile = context.service.logFile
  const end = await context.scope.run({ ...(await program(options, context, argv)), logFile })
  if (end.code !== 0) return { outcome: 'failed', detail: `start ${ending(end, argv[0])}` }
  const pids = await context.service.pids()
  if (pids.length === 0 && options.monitor === undefined) {
    return {
      outcome: 'failed',
      detail: 'start exited with 0 and left no process; name a `monitor`, or use `run` instead',
    }
  }
  return { outcome: 'done', detail: pids.length === 0 ? 'started' : `${describe(pids)} runs` }
}

async function startForeground(
  options: Options,
  context: Context,
  argv: readonly string[],
): Promise<Ran> {
  // Two instances must never share a service, and what an earlier one left is of no use.
  const { gone, because } = await context.service.end(0)
  if (!gone) return { outcome: 'failed', detail: `an earlier instance is not gone: it ${because}` }
  const logFile = context.service.logFile
  const launch = await program(options, context, argv)
  const { pid, ended } = await context.scope.launch({ ...launch, logFile })
  if (pid !== undefined) context.service.remember(pid)
  const end = await Promise.race([ended, sleep(SETTLE_MS, undefined, { ref: false })])
  if (end !== undefined) return { outcome: 'failed', detail: `its program ${ending(end, argv[0])}` }
  return { outcome: 'done', detail: `${argv[0]} runs as pid ${pid}` }
}

async function program(
  options: Options,
  context: Context,
  argv: readonly string[],
): Promise<Program> {
  const { env, user, directory } = options
  const account = user === undefined ? undefined : await accountOf(user, context.scope)
  return { argv, env, account, directory }
}

function canonical(argv: readonly string[], { directory = '/' }: Options): string[] {
  const [first = '', ...rest] = argv
  return [first.includes('/') ? posix.resolve(directory, first) : first, ...rest]
}
