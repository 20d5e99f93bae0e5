/**
 * The inventory form `stonith_nodes`, as playbooks and older tools hold it: for each node a method,
 * an address, a login, perhaps the name of a switch. What Picket can do today becomes a step; the
 * rest is kept as a comment at its node, under its name, so that nothing is lost.
 */
import { z } from 'zod'
import type { Catalog } from '../config/catalog.ts'
import type { Problem } from '../config/problem.ts'
import { shown } from '../config/problem.ts'
import { nameSchema } from '../config/schema.ts'
import { isMap } from '../config/secrets.ts'
import { didYouMean } from '../config/suggest.ts'
import type { Source } from '../config/yaml.ts'
import {
  type Draft,
  type DraftNode,
  type DraftStep,
  draftNode,
  Fitter,
  type Remark,
} from './draft.ts'
import { isSecretName, set } from './parameters.ts'

const methods = ['ipmi', 'kasa', 'tasmota', 'esphome', 'http'] as const
type Method = (typeof methods)[number]

const text = z.union([z.string().min(1), z.number()]).transform(String)

const entry = z.looseObject({
  method: z.enum(methods),
  ip: text.optional(),
  user: text.optional(),
  password: text.optional(),
  switch_name: text.optional(),
})

type Entry = z.output<typeof entry>

/** Plugs that Picket has no driver for yet. */
const later: readonly Method[] = ['kasa', 'tasmota', 'esphome']

export type InventoryResult =
  | { readonly ok: true; readonly draft: Draft }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** Read an inventory. A node that makes no sense is a problem; nothing is written then. */
export async function draftOfInventory(source: Source, catalog: Catalog): Promise<InventoryResult> {
  const fail = (path: readonly string[], message: string): InventoryResult => ({
    ok: false,
    problems: [{ ...source.placeOf(path), message }],
  })
  const { value } = source
  const key = 'stonith_nodes'
  if (!isMap(value) || !isMap(value[key])) {
    return fail([], `write a map ${key}: and below it the nodes, each with its method`)
  }
  const names = Object.keys(value[key])
  if (names.length === 0) return fail([key], `${key} names no node`)
  const remarks: Remark[] = Object.keys(value)
    .filter((other) => other !== key)
    .map((other) => ({
      ...{ lost: true, line: source.placeOfKey([other]).line },
      text: `${shown(other)} beside ${key} means nothing here; it is left out`,
    }))
  const problems = names.flatMap((name) => problemsOf(source, [key, name], name))
  if (problems.length > 0) return { ok: false, problems }
  const fitter = new Fitter(catalog)
  const nodes: DraftNode[] = []
  for (const name of names) {
    const line = source.placeOfKey([key, name]).line
    nodes.push(await nodeOf(name, entry.parse(value[key][name]), line, fitter, remarks))
  }
  const origin = `Made from the inventory ${source.file} by picket import stonith-nodes.`
  return { ok: true, draft: { cluster: 'imported', origin, nodes, fence: {}, remarks } }
}

/** What is wrong with one node, with its line and no value of it but the method. */
function problemsOf(source: Source, path: readonly string[], name: string): readonly Problem[] {
  const [top = ''] = path
  const value = (source.value as Record<string, Record<string, unknown>>)[top]?.[name]
  const at = (key: string): Problem[] =>
    isMap(value) && key in value ? [{ ...source.placeOf([...path, key]), message: '' }] : []
  const problem = (key: string, message: string): Problem => ({
    ...(at(key)[0] ?? source.placeOfKey(path)),
    message: `${shown(name)}: ${message}`,
  })
  if (!nameSchema.safeParse(name).success) {
    return [problem('', 'cannot be a name; write letters, digits, `.`, `_` and `-`')]
  }
  if (!isMap(value)) return [problem('', 'write a map: method, ip, user, password, switch_name')]
  const { method } = value
  if (method === undefined) return [problem('', `method is missing; write ${methods.join(', ')}`)]
  if (!methods.some((each) => each === method)) {
    const hint = typeof method === 'string' ? didYouMean(method, methods) : ''
    const message = `there is no method ${shown(method)}; there are ${methods.join(', ')}.${hint}`
    return [problem('method', message)]
  }
  const { error } = entry.safeParse(value)
  const wrong = (error?.issues ?? []).map((issue) =>
    problem(String(issue.path[0]), `${String(issue.path[0])} has to be a text`),
  )
  const lacks = value.ip === undefined ? [problem('', 'ip is missing: write its address')] : []
  return [...wrong, ...lacks]
}

async function nodeOf(
  name: string,
  inventory: Entry,
  line: number,
  fitter: Fitter,
  remarks: Remark[],
): Promise<DraftNode> {
  const node = draftNode(name)
  const { method, password, ...open } = inventory
  const known = ['ip', 'user', 'switch_name']
  const extra = Object.keys(open).filter((key) => !known.includes(key))
  const keep = (why: string) => {
    const all = Object.entries(open)
    const part = (secret: boolean) =>
      Object.fromEntries(all.filter(([key]) => isSecretName(key) === secret))
    node.kept.push({
      why: `${method}: ${why}`,
      open: { driver: method, ...part(false) },
      secrets: set({ password, ...part(true) }),
    })
    const kept = 'it is kept as a comment, and nobody can prove this node off'
    remarks.push({ lost: true, line, text: `${name} (${method}) has no step: ${why}; ${kept}` })
  }
  if (later.includes(method)) {
    keep(`Picket has no driver ${method} yet`)
    return node
  }
  if (method === 'http') {
    keep('an inventory does not say which requests switch it: see docs/drivers/http.md')
    return node
  }
  const step: DraftStep = {
    driver: 'ipmi',
    options: set({ host: open.ip, user: open.user }),
    secrets: set({ password }),
  }
  const refusal = await fitter.refusal(name, step)
  if (refusal !== undefined) {
    keep(refusal.why)
    return node
  }
  node.levels.push({ steps: [step], verify: false })
  const unused = [...extra, ...(open.switch_name === undefined ? [] : ['switch_name'])]
  if (unused.length > 0) {
    const named = Object.fromEntries(
      unused.filter((key) => !isSecretName(key)).map((key) => [key, open[key]]),
    )
    const secret = Object.fromEntries(
      unused.filter((key) => isSecretName(key)).map((key) => [key, open[key]]),
    )
    node.kept.push({ why: 'ipmi has no such options', open: named, secrets: secret })
    const text = `${name} (ipmi): ${unused.join(', ')} means nothing to it; kept as a comment`
    remarks.push({ lost: true, line, text })
  }
  return node
}
