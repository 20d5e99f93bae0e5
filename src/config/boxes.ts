/**
 * The boxes that a configuration has credentials for, of one driver: for whoever wants to know what
 * could be switched there, and so has not yet written which target belongs to which node. What a
 * step says is taken without the option that names its target, and what else is wrong in the file
 * is not looked at: `picket config check` does that.
 */
import type { Driver } from '../fence/driver.ts'
import { withoutPlug } from '../fence/driver.ts'
import { builtIn } from './catalog.ts'
import { type Inputs, layersOf, sharedLayers } from './fence.ts'
import { canonicalJson } from './hash.ts'
import { loadConfig, readSource } from './load.ts'
import { type Layer, merge, noSecretsFile, overlay } from './merge.ts'
import { openOrigins } from './origins.ts'
import { type Place, type Problem, tidyProblems } from './problem.ts'
import { addedRungs, writtenRungs } from './rungs.ts'
import { configSchema } from './schema.ts'
import { readSecrets } from './secrets.ts'
import { ms } from './timing.ts'

/** A box of the configuration, and the steps that lead to it. */
export interface ConfiguredBox {
  /** Hold secrets, and no plug. */
  readonly options: Readonly<Record<string, unknown>>
  readonly timeoutMs: number
  readonly uses: readonly Use[]
}

/** A node, and the text by which its step names the target; undefined where it names none. */
export interface Use {
  readonly node: string
  readonly plug: string | undefined
}

export type BoxesResult =
  | { readonly ok: true; readonly boxes: readonly ConfiguredBox[] }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** Every box of this driver once, by the steps of the nodes; without any, by its own section. */
export async function readBoxes(path: string, driver: Driver): Promise<BoxesResult> {
  const read = readSource(path)
  if (!read.ok) return read
  const { source: main } = read
  const parsed = configSchema.safeParse(main.value)
  if (!parsed.success) {
    // It says the same better, and all else that is wrong.
    const whole = await loadConfig(path)
    return { ok: false, problems: whole.ok ? [] : whole.problems }
  }
  const config = parsed.data
  const origins = openOrigins(process.env)
  const secrets = readSecrets(config, main, builtIn.driverNames, origins)
  const inputs = { config, main, secrets, catalog: builtIn, origins }
  const found = [...ofSteps(inputs, driver)]
  if (found.length === 0) {
    const place = main.placeOf(['fence'])
    found.push(boxOf(inputs, driver, sharedLayers(inputs, driver.name), { node: undefined, place }))
  }
  const wrong = found.flatMap((each) => each.problems)
  const problems = [...secrets.problems, ...noSecretsFile(wrong, secrets, main), ...wrong]
  if (problems.length > 0) return { ok: false, problems: tidyProblems(problems) }
  return { ok: true, boxes: together(found.flatMap(({ box }) => box ?? [])) }
}

interface Found {
  readonly box: ConfiguredBox | undefined
  readonly problems: readonly Problem[]
}

function ofSteps(inputs: Inputs, driver: Driver): readonly Found[] {
  const { config, main, secrets } = inputs
  return config.cluster.nodes.flatMap((node, index) => {
    const written = writtenRungs(node, ['cluster', 'nodes', index, 'fence'], main, [])
    const steps = [...written, ...addedRungs(node, written, secrets)].flatMap((rung) => rung.steps)
    return steps
      .filter((step) => step.driver === driver.name)
      .map((step) => {
        const place = step.source.placeOf(step.path)
        return boxOf(inputs, driver, layersOf(inputs, node.name, step), { node: node.name, place })
      })
  })
}

/** A list takes longer than the one reading for which a driver states its bound. */
const READINGS = 2

interface Whose {
  readonly node: string | undefined
  readonly place: Place
}

function boxOf(
  { origins, secrets }: Inputs,
  driver: Driver,
  layers: readonly Layer[],
  { node, place }: Whose,
): Found {
  const { plug } = driver
  const skipped = layers.map((layer) => ({
    ...layer,
    skip: plug === undefined ? layer.skip : [...layer.skip, plug],
  }))
  const terms = { node, place, origins, sawAll: secrets.problems.length === 0 }
  const unplugged = { ...driver, options: withoutPlug(driver) }
  const { options, common, problems } = merge(unplugged, skipped, terms)
  if (options === undefined) return { box: undefined, problems }
  const named = plug && overlay(driver, layers, origins).settings.get(plug)?.value
  const timeoutMs =
    common.timeout_seconds === undefined
      ? READINGS * driver.capabilities.timeoutMs
      : ms(common.timeout_seconds)
  const text = named === undefined ? undefined : String(named)
  return {
    box: { options, timeoutMs, uses: node === undefined ? [] : [{ node, plug: text }] },
    problems,
  }
}

/** Steps with the same options lead to the same box, which is asked once. */
function together(boxes: readonly ConfiguredBox[]): readonly ConfiguredBox[] {
  const groups = Map.groupBy(boxes, ({ options }) => canonicalJson(options))
  return [...groups.values()].flatMap(([first, ...others]) => {
    if (first === undefined) return []
    const all = [first, ...others]
    const timeoutMs = Math.max(...all.map((box) => box.timeoutMs))
    return [{ ...first, timeoutMs, uses: all.flatMap(({ uses }) => uses) }]
  })
}
