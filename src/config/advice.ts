/**
 * What resource types have to say about a valid configuration on this machine. For that they may
 * run foreign programs (an OCF agent tells its parameters only when it is run), each with a bound.
 */
import type { Catalog } from './catalog.ts'
import type { Loaded, LoadedResource } from './load.ts'
import { didYouMean } from './suggest.ts'

/** Sentences for a person, each beginning with the resource. One resource after the other. */
export async function* adviceOn(
  { core, resources }: Loaded,
  { loadResourceType }: Catalog,
): AsyncGenerator<string> {
  for (const { id, name, type, options } of withoutRepeats(resources)) {
    const config = core.resources.find((resource) => resource.id === id)
    const { advise } = (await loadResourceType(type)).open(options)
    if (advise === undefined || config === undefined) continue
    const { startMs, stopMs, probeMs } = config
    for (const sentence of await advise({ startMs, stopMs, probeMs, didYouMean })) {
      yield `${name}: ${sentence}`
    }
  }
}

/** The resources that have something to say. */
export async function advisable(
  { resources }: Loaded,
  { loadResourceType }: Catalog,
): Promise<readonly string[]> {
  const found: string[] = []
  for (const { name, type, options } of withoutRepeats(resources)) {
    if ((await loadResourceType(type)).open(options).advise !== undefined) found.push(name)
  }
  return found
}

/** Of a clone one instance: all of them have the same options. */
function withoutRepeats(resources: readonly LoadedResource[]): readonly LoadedResource[] {
  return resources.filter(({ name }, at) => resources.findIndex((o) => o.name === name) === at)
}
