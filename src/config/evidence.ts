/**
 * How strong the evidence of every fencing step is, and whether it is enough (F15): by default
 * nothing counts but a power that was read back as off.
 */
import { type DeviceConfig, type Isolation, isolations, strengthText } from '../core/model.ts'
import type { Driver } from '../fence/driver.ts'
import type { Problem } from './problem.ts'
import type { Rung, Step } from './rungs.ts'
import type { ConfigFile } from './schema.ts'
import type { Source } from './yaml.ts'

type Least = ConfigFile['fence']['least_evidence']

/** What is left to a node of which no more than this is proven. */
const left: Readonly<Record<Exclude<Isolation, 'power' | 'cooperative'>, string>> = {
  fabric: 'it is cut off from its storage or network, and runs on',
  'rescue-boot': 'another system runs on it',
  'new-boot': 'it has been reset, and runs again',
}

/** Is what this device proves weaker than a power that is off, though it is a proof? */
function isBelowPower({ isolation }: DeviceConfig): boolean {
  return isolation !== 'power' && isolation !== 'cooperative'
}

/** Why this step does not prove enough; `undefined` where it does, or where it proves nothing. */
export function tooWeak(node: string, device: DeviceConfig, least: Least): string | undefined {
  const { isolation, id, driver } = device
  if (isolation === 'power' || isolation === 'cooperative') return undefined
  if (isolations.indexOf(isolation) <= isolations.indexOf(least)) return undefined
  return (
    `${id} (${driver}) proves of ${node} no more than ${isolation}: ${left[isolation]}; ` +
    `fence.least_evidence is ${least}. Use a step that proves ${least}, or write ` +
    `least_evidence: ${isolation} in fence, if that is enough for all that runs there`
  )
}

/** Does the node run on when all of these have done their work? Then it is never silent. */
export function runsOn(devices: readonly { readonly config: DeviceConfig }[]): boolean {
  return devices.length > 0 && devices.every(({ config }) => isBelowPower(config))
}

/**
 * Why a level can never hold; `undefined` where it can. A reset leaves the node running, so that
 * nothing else would be left to prove; and where no step cuts the power, nothing ever falls silent.
 */
export function neverHolds(
  devices: readonly { readonly config: DeviceConfig }[],
  steps: number,
  verify: boolean,
): string | undefined {
  const reset = devices.find(({ config }) => config.isolation === 'new-boot')
  if (reset !== undefined && steps > 1) {
    return (
      `${stepText(reset.config)} resets, and the node runs again: another step beside it would ` +
      'never hold; make it a level of its own'
    )
  }
  const first = devices[0]
  if (!verify || first === undefined || devices.length < steps || !runsOn(devices)) return undefined
  const why =
    reset === undefined ? 'cuts no power, and the node runs on' : 'resets, and the node runs again'
  const mend = 'take verify out of this level'
  return `${stepText(first.config)} ${why}: verify beside it would never hold; ${mend}`
}

const stepText = ({ id, driver }: DeviceConfig): string => `${id} (${driver})`

/** What has to be said at every start where less than a power that is off counts as proof. */
export function weaknessOf(
  least: Least,
  devices: readonly { readonly config: DeviceConfig }[],
): readonly string[] {
  if (least === 'power') return []
  const weak = devices.map(({ config }) => config).filter(isBelowPower)
  const named = weak.map((device) => `${device.id} ${strengthText(device.isolation)}`).join(', ')
  return [
    `Less than a power that is off counts as proof (fence.least_evidence: ${least}): ` +
      `${named || 'no step proves less today'}.`,
  ]
}

/** A level is proven by all of its steps: a node without one that can be is never off. */
export function unprovable(
  rungs: readonly (readonly Rung[])[],
  drivers: ReadonlyMap<string, Driver>,
  { cluster }: ConfigFile,
  main: Source,
): readonly Problem[] {
  const isWeak = ({ driver }: Step): boolean => {
    const { hardOff, statusAuthoritative, isolation } = drivers.get(driver)?.capabilities ?? strong
    return !hardOff || !statusAuthoritative || isolation === 'cooperative'
  }
  return cluster.nodes.flatMap(({ name }, index): readonly Problem[] => {
    const levels = rungs[index] ?? []
    if (levels.length === 0 || levels.some(({ steps }) => !steps.some(isWeak))) return []
    const weak = new Set(
      levels.flatMap(({ steps }) => steps.filter(isWeak).map((each) => each.driver)),
    )
    const names = [...weak].join(' and ')
    const message = `no level of ${name} can prove it off, because ${names} proves nothing; \
add a level whose drivers all cut its power (\`picket drivers\` tells which do)`
    return [{ ...main.placeOf(['cluster', 'nodes', index, 'fence']), message }]
  })
}

/** What is not known is told elsewhere. */
const strong = { hardOff: true, statusAuthoritative: true, isolation: 'power' } as const
