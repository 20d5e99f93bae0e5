/** Things that this node may still run although its config does not know them any more (S16). */
import { entryOf } from './ledger.ts'
import type { State } from './state.ts'

/**
 * What this node was given in this boot and its config does not know any more: nobody here can look
 * whether it still runs, so it is not stopped (S16).
 */
export function strangeThings({ config, ledger, self, identity }: State): string[] {
  const { holds, boot } = entryOf(ledger, self)
  if (holds === 'anything' || boot !== identity.boot) return []
  const known = config.resources.map(({ thing }) => thing)
  return holds.map(({ thing }) => thing).filter((thing) => !known.includes(thing))
}
