/** Configurations as they are put through failures, and what became of them. */
import type { TestContext } from 'node:test'
import { type Advice, advise } from '../../src/drill/advice.ts'
import { drill } from '../../src/drill/drill.ts'
import { type FailureName, failureNames } from '../../src/drill/failures.ts'
import { type Plant, plantOf } from '../../src/drill/plant.ts'
import type { Row } from '../../src/drill/summary.ts'
import { load } from '../config/files.ts'

const TOKEN_MS = 1_000

export interface Drilled {
  readonly plant: Plant
  readonly rows: readonly Row[]
  readonly advice: readonly Advice[]
}

export async function plantIn(t: TestContext, config: string, tokenMs = TOKEN_MS): Promise<Plant> {
  return plantOf(await load(t, { config }, { withoutSecrets: true, env: {} }), tokenMs)
}

export interface Trial {
  readonly names?: readonly FailureName[]
  readonly tokenMs?: number
}

/** One life of each case. */
export async function drilled(
  t: TestContext,
  config: string,
  { names = failureNames, tokenMs = TOKEN_MS }: Trial = {},
): Promise<Drilled> {
  const loaded = await load(t, { config }, { withoutSecrets: true, env: {} })
  const plant = plantOf(loaded, tokenMs)
  const rows = await drill(plant, { names, node: undefined, seed: 1, lives: 1 }, () => {})
  const { enabled, verify } = loaded.details.config.fence
  return { plant, rows, advice: advise(plant, rows, { enabled, verify }) }
}

/** Three nodes a, b and c, each with the `fence` that stands here, and what comes after them. */
export function cluster(fence: Readonly<Record<string, string>>, rest = vip): string {
  const nodes = Object.entries(fence).map(([name, text]) => `    - { name: ${name}${text} }`)
  return `cluster:\n  name: t\n  nodes:\n${nodes.join('\n')}\n${rest}`
}

export const vip = 'resources: [{ id: vip, type: vip, address: 10.0.0.100/24 }]'
export const bmc = (n: number) => `, fence: { driver: ipmi, host: 10.1.0.${n} }`
export const strip = (n: number) =>
  `{ driver: agent, agent: fence_apc, plug: ${n}, options: { ip: 10.2.0.1 } }`
