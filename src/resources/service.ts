/**
 * A resource's service: the processes that its successful starts have left behind, found in the
 * scopes of those starts by this daemon and by the next.
 */
import { join } from 'node:path'
import type { Records } from './record.ts'
import type { Service } from './resource.ts'
import { fileName, type Scopes } from './scope.ts'

export interface ServiceOptions {
  readonly resource: string
  readonly stateDir: string
  readonly scopes: Scopes
  readonly records: Records
  readonly killBoundMs: number
  /** The scope of the operation that asks: a start does not end itself. */
  readonly current: string
}

/** The service of one resource, as one operation sees it. */
export function openService(options: ServiceOptions): Service {
  const { resource, stateDir, scopes, records, killBoundMs, current } = options
  return {
    logFile: join(stateDir, 'log', `${fileName(resource)}.log`),
    pids: async () => {
      const known = await scopes.pids(await serviceScopes(scopes, resource, false))
      if (known.length > 0) return known
      return await scopes.pids(await serviceScopes(scopes, resource, true))
    },
    async end(graceMs) {
      const all = await serviceScopes(scopes, resource, true)
      const names = all.filter((name) => name !== current)
      const { gone, killed, because } = await scopes.clear(names, {
        graceMs,
        boundMs: killBoundMs,
        strays: true,
      })
      return { gone, killed, because }
    },
    rememberUp: () => records.rememberUp(resource),
    forgetUp: () => records.forgetUp(resource),
    mayBeUp: async () => {
      if (records.mayBeUp(resource)) return true
      // A daemon that lost its disk still finds the scopes.
      const all = await serviceScopes(scopes, resource, true)
      return all.some((name) => name !== current)
    },
    remember: (mainPid) => records.rememberMain(resource, mainPid),
    main: () => records.main(resource),
  }
}

/** The scopes of every start of a resource. */
export async function serviceScopes(
  scopes: Scopes,
  resource: string,
  marked: boolean,
): Promise<readonly string[]> {
  const all = await scopes.list({ marked })
  return all
    .filter((one) => one.resource === fileName(resource) && one.op === 'start')
    .map(({ scope }) => scope)
}
