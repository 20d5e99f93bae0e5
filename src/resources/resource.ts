/**
 * What a resource type is: one value that knows how to look for a thing, start it, stop it and
 * watch it. A new type is one file with one `defineResourceType` and one line in `index.ts`.
 *
 * A type never claims what it has not seen. It runs programs through `context.scope` alone, so that
 * the runner can find, kill and prove gone whatever an operation has made (safety.md, S1 and S10).
 */
import { z } from 'zod'
import type { Move, ResourceOp } from '../core/effect.ts'
import type { RunOutcome } from '../core/event.ts'
import { createMask, type Mask, secretsOf } from '../foreign/mask.ts'
import type { Program, ProgramEnd } from './program.ts'

/** What one operation found, and a sentence that says how. */
export interface Ran {
  readonly outcome: RunOutcome
  readonly detail: string
}

/** All that an operation may touch the world with. */
export interface OperationContext<Memory = undefined> {
  /** The resource's name in the config, for programs that want to know. */
  readonly resource: string
  /** Set where it is an instance of a clone: how many of them there may be. */
  readonly cloneMax?: number | undefined
  readonly op: ResourceOp | 'prepare'
  /** From where to where, with `migrate_to` and `migrate_from`. */
  readonly move?: Move | undefined
  /** Runs programs. Closed for good as soon as the operation is over, aborted or out of time. */
  readonly scope: OperationScope
  /** What a successful start has left behind, in this life of the daemon or in an earlier one. */
  readonly service: Service
  /** Aborted at the deadline, and when the core wants the operation gone. */
  readonly signal: AbortSignal
  /** Instant at which the operation is killed, on the clock that `nowMs` reads. */
  readonly deadlineMs: number
  /** The gap between two monitors. */
  readonly monitorEveryMs: number
  /** Monotonic. */
  readonly nowMs: () => number
  /** What this type remembers of one resource between operations; gone with the daemon. */
  readonly memory: Memory
  readonly say: (level: 'info' | 'warn', text: string) => void
}

export interface OperationScope {
  /** Runs a program to its end. What it leaves running stays in the scope. */
  run(program: Program): Promise<ProgramEnd>
  /** Starts a program that stays, and resolves as soon as it has been executed, or cannot be. */
  launch(program: Program): Promise<Launched>
}

export interface Launched {
  readonly pid: number | undefined
  readonly ended: Promise<ProgramEnd>
}

/**
 * The processes that a start has left behind: they outlive the daemon and are found by the next.
 */
export interface Service {
  /** Every live process of the service. Throws when that cannot be told. */
  pids(): Promise<readonly number[]>
  /** Asks all of it to end (SIGTERM), then kills what is left, and proves it gone. */
  end(graceMs: number): Promise<ServiceEnd>
  /** Remembers which process is the service itself, so that its death is told from its helpers'. */
  remember(mainPid: number): void
  /** `unknown` when no main process was remembered. */
  main(): 'alive' | 'dead' | 'unknown'
  /**
   * From now on something of it may be up here that no process shows: an address, a mount. Known to
   * later daemons, over as soon as it is forgotten or the machine boots. Throws when it cannot be
   * kept.
   */
  rememberUp(): void
  forgetUp(): void
  mayBeUp(): Promise<boolean>
  /** The file that takes the output of what stays: bounded, kept over restarts of the daemon. */
  readonly logFile: string
}

export interface ServiceEnd {
  readonly gone: boolean
  /** What had to be killed, for example `node (pid 12)`. */
  readonly killed: readonly string[]
  /** Why it is not proven gone. */
  readonly because: string
}

/** Did a revoked start leave anything going on, and why is that not proven? */
export interface Revoked {
  readonly gone: boolean
  readonly because: string
}

export interface RevokeContext<Memory = undefined> {
  readonly memory: Memory
  /** When it has to be over, on the clock of `performance.now()`. */
  readonly deadlineMs: number
}

export interface WatchContext<Memory = undefined> {
  readonly memory: Memory
  /** Aborted when nobody wants to know any more. */
  readonly signal: AbortSignal
  /** It may be down: look now. A hint, no proof. */
  readonly tell: (because: string) => void
}

type Operation<Options, Memory> = (
  options: Options,
  context: OperationContext<Memory>,
) => Promise<Ran>

export interface ResourceDefinition<Schema extends z.ZodObject, Memory> {
  readonly name: string
  readonly title: string
  readonly options: Schema
  /**
   * What it really is, in one spelling only: two ids that name one thing must give the same text
   * (S16), for example `address 10.77.0.100`.
   */
  thing(options: z.output<Schema>): string
  /**
   * Why it may not be a clone, which every node has for itself; empty where it may be one. Left
   * out: it may not.
   */
  readonly whyNoClone?: (options: z.output<Schema>) => string
  /** Does a start leave processes of ours behind? Then a stop ends with their proven death. */
  readonly leavesProcesses: boolean
  readonly memory: () => Memory
  readonly probe: Operation<z.output<Schema>, Memory>
  readonly start: Operation<z.output<Schema>, Memory>
  readonly stop: Operation<z.output<Schema>, Memory>
  readonly monitor: Operation<z.output<Schema>, Memory>
  /** Where it can be moved without a stop. */
  readonly live?: {
    /** How long each half of it may take; `undefined` where these options do not want it. */
    readonly boundMs: (options: z.output<Schema>) => number | undefined
    /** At the source, while it runs there: sends it to the target. */
    readonly to: Operation<z.output<Schema>, Memory>
    /** At the target, when all is sent: takes it over. */
    readonly from: Operation<z.output<Schema>, Memory>
  }
  /** A start may come soon: look ahead without touching anything. Ends early when told to. */
  readonly prepare?: (options: z.output<Schema>, context: OperationContext<Memory>) => Promise<void>
  /**
   * What a person should know about these options on this machine, in sentences. It may run foreign
   * programs, bounded, so nobody asks for it unawares. Never rejects.
   */
  readonly advise?: (options: z.output<Schema>, terms: AdviceTerms) => Promise<readonly string[]>
  /**
   * Where a start sets something going that no scope holds: ends for good what a start has begun
   * that failed, was cut short, or was orphaned by the death of a daemon.
   */
  readonly revoke?: (options: z.output<Schema>, context: RevokeContext<Memory>) => Promise<Revoked>
  /** From now on, while it runs: tells as soon as it may be down, without asking all the time. */
  readonly watch?: (options: z.output<Schema>, context: WatchContext<Memory>) => void
  /** Lets go of what the memory holds open. */
  readonly close?: (memory: Memory) => void
}

export interface AdviceTerms {
  readonly startMs: number
  readonly stopMs: number
  readonly probeMs: number
  /** A sentence, led by a space, with the known name that was meant; or nothing. */
  readonly didYouMean: (typed: string, known: readonly string[]) => string
}

/** A resource type as the rest of the program sees it: options go in unparsed. */
export interface ResourceType {
  readonly name: string
  readonly title: string
  readonly options: z.ZodObject
  /** Checks the options and gives one resource. Throws with a readable list of what is wrong. */
  open(options: unknown): OpenResource
}

export interface OpenResource {
  readonly thing: string
  /** Empty where each node may have one for itself. */
  readonly whyNoClone: string
  readonly leavesProcesses: boolean
  probe(context: OperationContext): Promise<Ran>
  start(context: OperationContext): Promise<Ran>
  stop(context: OperationContext): Promise<Ran>
  monitor(context: OperationContext): Promise<Ran>
  /** How long each half of a live move may take; `undefined` where it is never moved live. */
  readonly liveMs: number | undefined
  readonly migrate_to: ((context: OperationContext) => Promise<Ran>) | undefined
  readonly migrate_from: ((context: OperationContext) => Promise<Ran>) | undefined
  readonly prepare: ((context: OperationContext) => Promise<void>) | undefined
  readonly advise: ((terms: AdviceTerms) => Promise<readonly string[]>) | undefined
  readonly revoke: ((deadlineMs: number) => Promise<Revoked>) | undefined
  readonly watch: ((context: Omit<WatchContext, 'memory'>) => void) | undefined
  close(): void
}

/** Makes a resource type of its definition. */
export function defineResourceType<Schema extends z.ZodObject, Memory>(
  definition: ResourceDefinition<Schema, Memory>,
): ResourceType {
  const { name, title, options: schema, prepare, advise, revoke, live, watch, close } = definition
  return {
    name,
    title,
    options: schema,
    open(raw) {
      const parsed = schema.safeParse(raw)
      if (!parsed.success) {
        throw new Error(`options of a ${name} resource: ${z.prettifyError(parsed.error)}`)
      }
      const options = parsed.data
      const memory = definition.memory()
      const mask = createMask(secretsOf(schema, options))
      const bind =
        (operation: Operation<z.output<Schema>, Memory>) => (context: OperationContext) =>
          masked(mask, () => operation(options, { ...quiet(mask, context), memory }))
      return {
        thing: definition.thing(options),
        whyNoClone: definition.whyNoClone?.(options) ?? `a ${name} cannot be on two nodes at once`,
        leavesProcesses: definition.leavesProcesses,
        probe: bind(definition.probe),
        start: bind(definition.start),
        stop: bind(definition.stop),
        monitor: bind(definition.monitor),
        liveMs: live?.boundMs(options),
        migrate_to: live && bind(live.to),
        migrate_from: live && bind(live.from),
        prepare:
          prepare &&
          ((context: OperationContext) => prepare(options, { ...quiet(mask, context), memory })),
        advise: advise && (async (terms: AdviceTerms) => (await advise(options, terms)).map(mask)),
        revoke: revoke && ((deadlineMs) => revoke(options, { memory, deadlineMs })),
        watch: watch && ((context) => watch(options, { ...context, memory })),
        close: () => close?.(memory),
      }
    },
  }
}

/** What a resource says goes to the log, to the journal and to the other nodes. */
async function masked(mask: Mask, work: () => Promise<Ran>): Promise<Ran> {
  try {
    const { outcome, detail } = await work()
    return { outcome, detail: mask(detail) }
  } catch (error) {
    throw new Error(mask((error as Error).message))
  }
}

function quiet(mask: Mask, context: OperationContext): OperationContext {
  return { ...context, say: (level, text) => context.say(level, mask(text)) }
}
