/** The drivers and resource types that a config may name: loaded only when one names them. */
import type { Driver } from '../fence/driver.ts'
import { driverNames, loadDriver } from '../fence/drivers/index.ts'
import type { CheckType } from '../health/check.ts'
import { checkTypeNames, loadCheckType } from '../health/index.ts'
import { loadResourceType, resourceTypeNames } from '../resources/index.ts'
import type { ResourceType } from '../resources/resource.ts'

export interface Catalog {
  readonly driverNames: readonly string[]
  readonly loadDriver: (name: string) => Promise<Driver>
  readonly resourceTypeNames: readonly string[]
  readonly loadResourceType: (name: string) => Promise<ResourceType>
  readonly checkTypeNames: readonly string[]
  readonly loadCheckType: (name: string) => Promise<CheckType>
}

/** Everything that this program brings along. */
export const builtIn: Catalog = {
  driverNames,
  loadDriver,
  resourceTypeNames,
  loadResourceType,
  checkTypeNames,
  loadCheckType,
}
