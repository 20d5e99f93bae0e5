/** All mutants, in the order of the rules that they break. */
import type { Mutant } from '../mutant.ts'
import { cloneMutants } from './clones.ts'
import { detachMutants } from './detach.ts'
import { dumpMutants } from './dumps.ts'
import { failureMutants } from './failures.ts'
import { fencingMutants } from './fencing.ts'
import { halvesMutants } from './halves.ts'
import { healthMutants } from './health.ts'
import { intentMutants } from './intents.ts'
import { liveMutants } from './live.ts'
import { maintenanceMutants } from './maintenance.ts'
import { memoryMutants } from './memory.ts'
import { proofMutants } from './proof.ts'
import { recoveryMutants } from './recovery.ts'
import { rejoinMutants } from './rejoin.ts'
import { roleMutants } from './roles.ts'
import { serviceMutants } from './service.ts'
import { watchdogMutants } from './watchdog.ts'

export const mutants: readonly Mutant[] = [
  ...serviceMutants,
  ...proofMutants,
  ...fencingMutants,
  ...dumpMutants,
  ...maintenanceMutants,
  ...detachMutants,
  ...recoveryMutants,
  ...rejoinMutants,
  ...roleMutants,
  ...memoryMutants,
  ...intentMutants,
  ...healthMutants,
  ...watchdogMutants,
  ...halvesMutants,
  ...failureMutants,
  ...cloneMutants,
  ...liveMutants,
]
