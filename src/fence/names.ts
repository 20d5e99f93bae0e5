/**
 * The addresses behind the names of devices, kept: a name server that is gone together with the
 * node that was lost must not be in the way of its fencing.
 *
 * Every check of a device asks for its name, so the last good answer is there before it is needed.
 * A lookup blocks a thread of the pool that also writes our files, so there is one of them at a
 * time for each name.
 */
import { type LookupAddress, lookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'

/** Asks the system. Rejects where it knows no address. */
export type Resolver = (name: string) => Promise<readonly LookupAddress[]>

export interface Names {
  /** Its addresses, the preferred one first. Rejects when there never was an answer. */
  addressesOf(host: string): Promise<readonly LookupAddress[]>
  /** For `connect` of `node:net`. */
  readonly lookup: LookupFunction
}

/** So young an answer is not asked for again. */
const FRESH_MS = 10_000
/** So long a new answer is waited for while there is an older one. */
const PATIENCE_MS = 500

const never = Number.NEGATIVE_INFINITY

interface Kept {
  addresses: readonly LookupAddress[] | undefined
  atMs: number
  asking: Promise<readonly LookupAddress[]> | undefined
}

export function openNames(resolver: Resolver, freshMs = FRESH_MS): Names {
  const all = new Map<string, Kept>()

  function ask(name: string, kept: Kept): Promise<readonly LookupAddress[]> {
    kept.asking ??= resolver(name)
      .then((addresses) => {
        Object.assign(kept, { addresses, atMs: performance.now() })
        return addresses
      })
      .finally(() => {
        kept.asking = undefined
      })
    return kept.asking
  }

  async function addressesOf(host: string): Promise<readonly LookupAddress[]> {
    const family = isIP(host)
    if (family !== 0) return [{ address: host, family }]
    const kept = all.get(host) ?? { addresses: undefined, atMs: never, asking: undefined }
    all.set(host, kept)
    const { addresses } = kept
    if (addresses === undefined) return await ask(host, kept)
    if (performance.now() - kept.atMs < freshMs) return addresses
    return await soon(ask(host, kept), addresses)
  }

  return {
    addressesOf,
    lookup(host, options, done) {
      addressesOf(host).then(
        (found) => {
          const fits = found.filter(({ family }) => !options.family || family === options.family)
          const [first = { address: '', family: 4 }] = fits.length > 0 ? fits : found
          if (options.all) done(null, [...(fits.length > 0 ? fits : found)])
          else done(null, first.address, first.family)
        },
        (error: NodeJS.ErrnoException) => done(error, ''),
      )
    },
  }
}

/** The new answer if it comes soon and is one, or else the older one. */
function soon<T>(asking: Promise<T>, older: T): Promise<T> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(older), PATIENCE_MS)
    const settle = (answer: T): void => {
      clearTimeout(timer)
      resolve(answer)
    }
    asking.then(settle, () => settle(older))
  })
}

/** The names of this process, as the system knows them. */
export const names = openNames(
  (name) =>
    new Promise((resolve, reject) => {
      lookup(name, { all: true }, (error, addresses) => {
        if (error === null && addresses.length > 0) resolve(addresses)
        else reject(error ?? new Error(`${name} has no address`))
      })
    }),
)
