/**
 * The box behind the options of a device: what could be switched there, for whoever does not know
 * yet what to write into the option that names it. As with a device nothing here throws or hangs,
 * and every text that leaves is masked and bounded.
 */
import { checked, type DeviceSetup, plainPower } from './device.ts'
import { type Target, withoutPlug } from './driver.ts'
import { FenceError, printable } from './errors.ts'
import { canonicalIdentity } from './identity.ts'
import { type Ask, onLane, sentenceOf } from './turn.ts'

export interface Listed {
  readonly ok: boolean
  readonly targets: readonly Target[]
  /** Why there are none. */
  readonly detail?: string
}

/** The box behind a device, whatever target is meant. Its promise resolves, within `timeoutMs`. */
export interface Box {
  readonly driver: string
  readonly endpoint: string
  /** All that could be switched there, as far as we may see it. */
  list(ask: Ask): Promise<Listed>
}

/** More than these are not read: something else answers, or nobody could look through them. */
const TARGETS_MAX = 5_000

/**
 * Binds a driver to the box behind its options. The option that names a target is not looked at: it
 * may be missing, or name nothing. Throws a FenceError (`options`) when the others do not fit.
 */
export function openBox(setup: Omit<DeviceSetup, 'identity'>): Box {
  const { driver } = setup
  const { [driver.plug ?? '']: _, ...options } = Object(setup.options)
  const { settings, mask, net } = checked({ ...setup, options }, withoutPlug(driver))
  const endpoint = driver.endpoint(settings)
  const where = `${driver.name} ${endpoint}`
  // Masked before it is cut: half a secret would not be recognised any more.
  const tell = (text: string): string => printable(mask(text), 128)
  const plain = ({ plug, name, identity, aliases, ...rest }: Target): Target => {
    const found = identity === undefined ? undefined : canonicalIdentity(identity)
    return {
      plug: tell(plug),
      name: tell(name),
      power: plainPower(rest),
      ...(found !== undefined && { identity: tell(found) }),
      ...(aliases !== undefined && { aliases: aliases.map(tell) }),
    }
  }
  return {
    driver: driver.name,
    endpoint,
    async list(ask) {
      try {
        const { list } = driver
        if (list === undefined) throw new FenceError('options', 'it has no list', NO_LIST)
        const job = { where, use: 'ask', ask } as const
        const found = await onLane(job, ({ wire }) => list(settings, wire))
        if (found.length === 0) throw new FenceError('noSuchPlug', 'its list is empty', LOOK_THERE)
        if (found.length > TARGETS_MAX) {
          throw new FenceError('garbled', `it lists more than ${TARGETS_MAX} targets`)
        }
        return { ok: true, targets: found.map(plain) }
      } catch (error) {
        const said = net(`${where}: ${sentenceOf(driver, error, mask)}`)
        return { ok: false, targets: [], detail: printable(said, 400) }
      }
    },
  }
}

const NO_LIST = 'name the target by hand: this driver cannot tell which there are'
const LOOK_THERE = 'check that it is the right machine, and what our user may see there'
