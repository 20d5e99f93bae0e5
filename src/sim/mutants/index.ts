/** All mutants, in the order of the rules that they break. */
import type { Mutant } from '../mutant.ts'
import { fencingMutants } from './fencing.ts'
import { healthMutants } from './health.ts'
import { intentMutants } from './intents.ts'
import { memoryMutants } from './memory.ts'
import { proofMutants } from './proof.ts'
import { serviceMutants } from './service.ts'

export const mutants: readonly Mutant[] = [
  ...serviceMutants,
  ...proofMutants,
  ...fencingMutants,
  ...memoryMutants,
  ...intentMutants,
  ...healthMutants,
]
