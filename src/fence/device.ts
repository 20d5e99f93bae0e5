/**
 * One configured power device: binds a driver and its options to one target, and turns whatever
 * happens there into values that the hands can report to the core.
 *
 * Nothing here ever throws or hangs: a driver that throws, that ignores its deadline or that
 * answers nonsense becomes an `unknown` with a sentence, and never an `off`. Every text that leaves
 * is masked and bounded.
 */
import type { PressOutcome, Reading } from '../core/event.ts'
import type { Power } from '../core/model.ts'
import { createMask, createNet, type Mask, secretsOf } from '../foreign/mask.ts'
import type { Capabilities, Driver, Status, Verification } from './driver.ts'
import { FenceError, printable } from './errors.ts'
import { canonicalIdentity } from './identity.ts'
import type { LaneUse } from './lane.ts'
import { type Ask, onLane, type PressAsk, sentenceOf } from './turn.ts'
import type { OpenWire, Wire } from './wire.ts'

export interface Pressed {
  /** `refused` only when the power certainly was not touched by us. */
  readonly outcome: PressOutcome
  readonly detail: string
}

/** What the core is told of a reading; `identity` is in canonical form (`identity.ts`). */
export type PowerRead = Reading

export interface Identified {
  /** Would our credentials, right now, work on exactly this device? */
  readonly ok: boolean
  readonly identity?: string
  readonly detail: string
}

/** What the hands hold of a fence device. Every promise resolves, within `timeoutMs`. */
export interface Device {
  readonly id: string
  readonly driver: string
  readonly capabilities: Capabilities
  off(ask: PressAsk): Promise<Pressed>
  on(ask: PressAsk): Promise<Pressed>
  reset(ask: PressAsk): Promise<Pressed>
  read(ask: Ask): Promise<PowerRead>
  identify(ask: Ask): Promise<Identified>
}

export interface DeviceSetup {
  /** `node/level/step`. */
  readonly id: string
  readonly driver: Driver
  /** The driver's options, merged from config and secrets file, not yet checked. */
  readonly options: unknown
  /** The identity the config names: another device there is not pressed. */
  readonly identity?: string | undefined
}

/** A matching identity seen this recently is not asked for again right before a command. */
const IDENTITY_FRESH_MS = 60_000

/**
 * The options as the driver's schema gives them, a mask for every secret among them, and the net
 * for what holds words of ours too.
 */
export function checked({ id, driver, options }: DeviceSetup, schema: Driver['options']) {
  const parsed = schema.safeParse(options)
  const secrets = [...secretsOf(schema, options), ...secretsOf(schema, parsed.data)]
  const [mask, net] = [createMask(secrets), createNet(secrets)]
  if (parsed.success) return { settings: parsed.data, mask, net }
  const issues = parsed.error.issues.map(({ path, message }) => [...path, mask(message)].join(' '))
  throw new FenceError('options', net(`${id}, driver ${driver.name}: ${issues.join('; ')}`))
}

/** Binds a driver to one target. Throws a FenceError (`options`) when the options do not fit. */
export function openDevice(setup: DeviceSetup): Device {
  const { id, driver, identity } = setup
  const { settings, mask, net } = checked(setup, driver.options)
  const where = `${driver.name} ${driver.endpoint(settings)}`
  const expected = identity === undefined ? undefined : canonicalIdentity(identity)
  // Masked before it is cut: half a secret would not be recognised any more.
  const tell = (text: string): string => printable(net(text), 400)
  const foreign = (text: string): string => printable(mask(text), 400)
  const say = (error: unknown): string => tell(`${where}: ${sentenceOf(driver, error, mask)}`)
  let matchedAtMs = Number.NEGATIVE_INFINITY

  const take = <T>(use: LaneUse, ask: Ask & PressAsk, work: (open: OpenWire) => Promise<T>) =>
    onLane({ where, use, ask }, work)
  /** Is it still the device that we were told to press? Unanswered, the button stays unpressed. */
  async function checkIdentity(wire: Wire): Promise<void> {
    if (expected === undefined || performance.now() - matchedAtMs < IDENTITY_FRESH_MS) return
    const found = noted((await driver.status(settings, wire)).identity)
    if (found !== expected) throw new FenceError('identity', stranger(found, identity))
  }

  /** Canonical form of what a device calls itself; remembers when it was the right one. */
  function noted(reported: string | undefined): string | undefined {
    const found = reported === undefined ? undefined : canonicalIdentity(reported)
    if (found !== undefined && found === expected) matchedAtMs = performance.now()
    if (found !== expected) matchedAtMs = Number.NEGATIVE_INFINITY
    return found === expected || found === undefined ? found : named(found, mask)
  }

  async function press(verb: Verb, ask: PressAsk): Promise<Pressed> {
    const startedMs = performance.now()
    let sent = (): boolean => false
    try {
      await take('press', ask, async ({ wire, writes }) => {
        await checkIdentity(wire)
        const before = writes()
        sent = () => writes() > before
        await verbOf(driver, verb)(settings, wire)
      })
      const tookMs = Math.round(performance.now() - startedMs)
      return { outcome: 'accepted', detail: tell(`${where} accepted ${verb} after ${tookMs} ms`) }
    } catch (error) {
      const inert = !sent() || (error instanceof FenceError && error.inert)
      return { outcome: inert ? 'refused' : 'unknown', detail: say(error) }
    }
  }

  return {
    id,
    driver: driver.name,
    capabilities: driver.capabilities,
    off: (ask) => press('powerOff', ask),
    on: (ask) => press('powerOn', ask),
    reset: (ask) => press('reset', ask),

    async read(ask) {
      try {
        const status = await take('ask', ask, ({ wire }) => driver.status(settings, wire))
        const found = noted(status.identity)
        // Somebody else's off is no off of ours.
        const ours = expected === undefined || found === expected
        const detail = ours
          ? undefined
          : tell(`${where}: ${stranger(found && mask(found), identity)}`)
        return readingOf(status, found, detail, { tell, foreign })
      } catch (error) {
        return { power: 'unknown', raw: '', detail: say(error) }
      }
    },

    async identify(ask) {
      try {
        const seen = await take('ask', ask, (open) => verified(driver, settings, open))
        const found = noted(seen.identity)
        const ok = expected === undefined || found === expected
        const detail = ok ? seen.detail : stranger(found && mask(found), identity)
        return {
          ok,
          ...(found !== undefined && { identity: found }),
          detail: tell(`${where}: ${detail}`),
        }
      } catch (error) {
        return { ok: false, detail: say(error) }
      }
    },
  }
}

/** What a verification has found, with the certificates that nobody looked at. */
async function verified(
  driver: Driver,
  settings: Parameters<Driver['verify']>[0],
  { wire, unpinned }: OpenWire,
): Promise<Verification> {
  const { identity, detail } = await driver.verify(settings, wire)
  const pins = unpinned().map(
    (fingerprint) => `nobody looks at its certificate: pin the fingerprint ${fingerprint}`,
  )
  return { identity, detail: [detail, ...pins].join('; ') }
}

/** What is told of a reading; with a `detail` on why it does not count, nothing that could. */
function readingOf(
  status: Status,
  identity: string | undefined,
  detail: string | undefined,
  { tell, foreign }: Readonly<Record<'tell' | 'foreign', Mask>>,
): PowerRead {
  const raw = foreign(status.raw)
  const from = identity === undefined ? {} : { identity }
  if (detail !== undefined) return { power: 'unknown', raw, ...from, detail }
  const boot = status.boot ? { boot: foreign(status.boot) } : {}
  return { power: plainPower(status), raw, ...from, ...boot, ...spareIn(status, tell) }
}

/**
 * What a device calls itself, fit for verdicts and logs. A UUID stays as it is, because it is what
 * is compared; what else is cut or masked here is the name of nobody's hardware.
 */
function named(found: string, mask: Mask): string {
  return isUuid(found) ? found : mask(printable(found, NAME_MAX))
}

const NAME_MAX = 200
const isUuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)

function stranger(found: string | undefined, expected = 'nothing'): string {
  return `it calls itself ${found ?? 'nothing'}, and the config expects ${expected}`
}

type Verb = 'powerOff' | 'powerOn' | 'reset'

function verbOf(driver: Driver, verb: Verb): Driver['powerOff'] {
  const found = driver[verb]
  if (found !== undefined) return found
  throw new FenceError('options', `the driver ${driver.name} cannot reset`)
}

/** What a driver returned is judged again here: anything but the two words is unknown (F2). */
export function plainPower({ power }: Pick<Status, 'power'>): Power {
  return power === 'off' || power === 'on' ? power : 'unknown'
}

/** Every member tells it to all others, again and again: it is kept short. */
function spareIn({ spare }: Status, tell: Mask): { spare?: string } {
  return spare === undefined ? {} : { spare: tell(spare).slice(0, 120) }
}
