/**
 * The addresses behind the names in checks, kept like those of fence devices. A lookup blocks a
 * thread of the pool that also writes our files, and a name server that is gone blocks it for long:
 * so of all lookups for checks there is one at a time, whatever the number of names. Who waits for
 * its turn beyond its bound has a bad answer.
 */
import { lookup } from 'node:dns/promises'
import { openNames } from '../fence/names.ts'

let last: Promise<unknown> = Promise.resolve()

/** For `connect` of `node:net`, and for requests. */
export const { lookup: lookupInTurn } = openNames(async (name) => {
  const asked = last.then(() => lookup(name, { all: true }))
  last = asked.catch(() => undefined)
  return await asked
})
