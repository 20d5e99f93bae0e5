/** Why a test is skipped: it wants programs that are not on this machine, or root. */
import { cannotFind, type Program } from '../src/lab/programs.ts'

/** Which of these are missing, with the command that mends it; `false` when none is. */
export function missing(...programs: readonly Program[]): string | false {
  return cannotFind(programs) ?? false
}

/** `false` for root, which `npm test` also needs to install what `missing` names. */
export const notRoot = process.getuid?.() === 0 ? false : 'needs root: run the tests with sudo'
