/** Mutants of who may be fenced and what counts as proof. */
import type { Mutant } from '../mutant.ts'

export const fencingMutants: readonly Mutant[] = []
