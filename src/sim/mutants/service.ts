/** Mutants of what may run where. */
import type { Mutant } from '../mutant.ts'

export const serviceMutants: readonly Mutant[] = []
