/** Mutants of what is kept, agreed on and forgotten. */
import type { Mutant } from '../mutant.ts'

export const memoryMutants: readonly Mutant[] = []
