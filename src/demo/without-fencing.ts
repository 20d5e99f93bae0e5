/**
 * Loaded with `--import` into a daemon whose checker is on trial: takes fencing out of the core, so
 * that a lost node counts as fenced unasked. For the demonstration and its tests only.
 */
import { registerHooks } from 'node:module'

const FIND = 'function enterDevice(turn: Turn, fencing: Fencing): void {'
const BELIEVE = `${FIND}
  return conclude(turn, fencing, { proven: true, level: 1, text: 'believed without proof' })
`

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context)
    if (!url.endsWith('/src/core/fencing.ts')) return loaded
    const source = String(loaded.source)
    if (source.split(FIND).length !== 2) throw new Error('the core has changed; mend this mutant')
    return { ...loaded, source: source.replace(FIND, BELIEVE) }
  },
})
