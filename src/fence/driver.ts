/**
 * What a fence driver is: a plain value that names one power API, says what it can promise, and
 * carries its verbs. Adding one is one file in `drivers` (F1, F17); CONTRIBUTING.md says how.
 */
import { z } from 'zod'
import type { Isolation, Power } from '../core/model.ts'
import type { Wire } from './wire.ts'

/** How strong the evidence of a driver is, and how long its device takes (F15). */
export interface Capabilities {
  /** Does `powerOff` cut the power without asking the operating system? */
  readonly hardOff: boolean
  /** Is the status read from the hardware itself, not from a cache or an assumption? */
  readonly statusAuthoritative: boolean
  /** What an off that is read back takes away; see `isolationOf` where the options decide. */
  readonly isolation: Isolation
  /** What takes the device down together with the node, so that a second level is wanted. */
  readonly sharedFate: 'host-power' | 'network' | 'provider-api'
  /** Gap between the two reads that prove an off. Every millisecond of it is downtime. */
  readonly readGapMs: number
  /** How long a command whose outcome is unknown may still take effect. */
  readonly lateMs: number
  /** How long after an accepted off the power may still read as on. */
  readonly settleMs: number
  /**
   * How long after an off something else than Picket may switch the target on again: an HA manager,
   * an auto scaling group, a timer in the device; 0 where nothing does.
   */
  readonly returnsMs: number
  /** May `status` say why a target that is lost from the ring should be waited for (`spare`)? */
  readonly vouches: boolean
  /** What the hardware calls the `boot` of its status, which proves its `reset` (F15). */
  readonly bootMark?: string
  /** How long after an accepted reset the boot before may still be told. */
  readonly bootMs?: number
  /** How long one command, read or verification may take, unless the config says otherwise. */
  readonly timeoutMs: number
}

export interface Status {
  /** Only an exact, allow-listed raw value is `off` or `on`; everything else is `unknown` (F2). */
  readonly power: Power
  /** What the device said, for the evidence. */
  readonly raw: string
  /** Who said it, where the device tells. */
  readonly identity?: string | undefined
  /**
   * Why a target that is lost from the ring may be back by itself, as a clause: `it is being
   * migrated`, `its guest agent answers` (F18). It defers a fencing, and decides nothing.
   */
  readonly spare?: string | undefined
  /**
   * A mark of the present boot, where the hardware itself tells one: the same as long as the
   * machine has not been reset, and another one after every reset. If anything else moved it, it
   * would prove nothing.
   */
  readonly boot?: string | undefined
}

/** One thing that a box could switch. It says nothing of whether we may. */
export interface Target {
  /** As it goes into the driver's plug option, for a person. */
  readonly plug: string
  /** What people call it; empty where it has no name. */
  readonly name: string
  /** For people alone, and perhaps from a cache: never a proof, not even of being there. */
  readonly power: Power
  readonly identity?: string | undefined
  /** What else the plug option takes for it, besides its identity. */
  readonly aliases?: readonly string[] | undefined
}

export interface Verification {
  readonly identity?: string | undefined
  /** A sentence on what was found. */
  readonly detail: string
}

/**
 * A driver throws a FenceError when it cannot answer, and never retries a command that may have
 * been sent: retries belong to the core. Its options carry `.meta({ title, secret?, unit? })`, from
 * which the docs and the masking come; zod loses a `.meta()` that is not the last call.
 */
export interface Driver<Options extends z.ZodObject = z.ZodObject, Plug extends string = string> {
  /** As in `driver: ipmi`. */
  readonly name: string
  readonly title: string
  readonly options: Options
  readonly capabilities: Capabilities
  /** The option that names one target among those behind a box, where there is such an option. */
  readonly plug?: Plug
  /** What these options make of it, where they decide how strong its evidence is (F15). */
  isolationOf?(options: z.output<Options>): Isolation
  /** Names the box behind these options. Commands to one box are sent one after the other. */
  endpoint(options: Unplugged<z.output<Options>, Plug>): string
  /** Reads the power. Changes nothing. */
  status(options: z.output<Options>, wire: Wire): Promise<Status>
  /** Resolves when the device has accepted the command, which proves nothing. */
  powerOff(options: z.output<Options>, wire: Wire): Promise<void>
  powerOn(options: z.output<Options>, wire: Wire): Promise<void>
  /** Only where a reset can be proven (`bootMark`): all that ran on it is gone, and it boots. */
  reset?(options: z.output<Options>, wire: Wire): Promise<void>
  /** Credentials, permission and identity of exactly this target, without side effects. */
  verify(options: z.output<Options>, wire: Wire): Promise<Verification>
  /**
   * All that stands behind the box, for whoever does not know the plug yet: the options hold none.
   * Reads only. That the verb is there is the capability.
   */
  list?(options: Unplugged<z.output<Options>, Plug>, wire: Wire): Promise<readonly Target[]>
}

/** Options that may lack the one that names the target, where a driver says which that is. */
export type Unplugged<Options, Plug extends string> = string extends Plug
  ? Options
  : Omit<Options, Plug> & Partial<Pick<Options, Extract<Plug, keyof Options>>>

/** Gives a driver literal its types. It adds nothing else: a driver stays a value you can read. */
export function defineDriver<Options extends z.ZodObject, Plug extends string>(
  driver: Driver<Options, Plug>,
): Driver<Options, Plug> {
  return driver
}

/** What a driver's options have to be where no target is named. */
export function withoutPlug({ options, plug }: Driver): z.ZodObject {
  const named = plug === undefined ? undefined : options.shape[plug]
  if (plug === undefined || !(named instanceof z.ZodType)) return options
  // Unlike `omit` this keeps what the schema asks of the others together.
  return options.safeExtend({ [plug]: named.optional() })
}
