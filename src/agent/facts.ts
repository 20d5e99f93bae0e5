/** What drivers.json holds of each driver; `describe.ts` makes it. */
import drivers from './drivers.json' with { type: 'json' }

export interface OptionFacts {
  /** As in a config. */
  readonly name: string
  readonly title: string
  readonly type: 'boolean' | 'integer' | 'select' | 'string'
  readonly choices?: readonly string[]
  readonly standard?: string
  readonly required?: boolean
  readonly secret?: boolean
}

export interface DriverFacts {
  readonly title: string
  /** The option that names one target among those behind a box, where there is such an option. */
  readonly plug?: string
  readonly lists: boolean
  readonly timeoutMs: number
  readonly settleMs: number
  readonly readGapMs: number
  readonly options: readonly OptionFacts[]
}

/** By the name of the driver, in the order of the catalog. */
export const driverFacts = drivers as unknown as Readonly<Record<string, DriverFacts>>

/** Does a device of this driver switch nothing before a plug is named? */
export function needsPlug(driver: string): boolean {
  const { plug, options = [] } = driverFacts[driver] ?? {}
  return options.some(({ name, required }) => name === plug && required === true)
}
