/**
 * The levels of one node as they are written (C2) and as the secrets file adds to them (C1): which
 * steps, in which order, before anybody asks what a driver makes of them.
 */
import { type Problem, shown } from './problem.ts'
import type { FileNode } from './schema.ts'
import { isMap, type Secrets } from './secrets.ts'
import type { Path, Source } from './yaml.ts'

/** A level as written: steps, and whether it ends with `verify`. */
export interface Rung {
  readonly steps: readonly Step[]
  readonly verify: boolean
  /** Where it stands, for what is wrong with it as a whole. */
  readonly source: Source
  readonly path: Path
}

export interface Step {
  readonly driver: string
  readonly path: Path
  readonly source: Source
  /** Undefined for a step that the secrets file alone has made. */
  readonly entries: Readonly<Record<string, unknown>> | undefined
}

/** A step; or a list of levels, each a step or a list of steps; `verify` is a step too. */
export function writtenRungs(
  node: FileNode,
  path: Path,
  main: Source,
  problems: Problem[],
): Rung[] {
  const { fence } = node
  if (fence === undefined) return []
  const fail = (at: Path, message: string) => {
    problems.push({ ...main.placeOf(at), message })
    return []
  }
  const allowed = 'write a step ({driver: …}) or a list of levels'
  if (!Array.isArray(fence)) {
    if (!isMap(fence)) return fail(path, `the fence of ${node.name} is ${shown(fence)}; ${allowed}`)
    return rungOf([fence], path, () => path, main, fail)
  }
  if (fence.length === 0) return fail(path, `the fence of ${node.name} is empty; ${allowed}`)
  return fence.flatMap((level: unknown, at) =>
    Array.isArray(level)
      ? rungOf(level, [...path, at], (step) => [...path, at, step], main, fail)
      : rungOf([level], [...path, at], () => [...path, at], main, fail),
  )
}

function rungOf(
  items: readonly unknown[],
  path: Path,
  pathOf: (index: number) => Path,
  source: Source,
  fail: (at: Path, message: string) => Rung[],
): Rung[] {
  const steps = items.flatMap((item, index): Step[] => {
    const at = pathOf(index)
    if (item === 'verify') return []
    if (!isMap(item)) {
      fail(at, `a step is ${shown(item)}; write {driver: …} or the word verify`)
      return []
    }
    if (typeof item.driver !== 'string') {
      fail(at, `a step names no driver; write driver: and its name`)
      return []
    }
    return [{ driver: item.driver, path: at, source, entries: item }]
  })
  const verify = items.includes('verify')
  if (verify && steps.length === 0) {
    return fail(
      path,
      'this level has no device, and silence alone proves nothing; to listen after a device, ' +
        'write both in one level: [{driver: …}, verify]',
    )
  }
  if (items.length === 0) return fail(path, 'this level is empty; write its steps or take it out')
  return [{ steps, verify, source, path }]
}

/** Secrets of a driver for a node that has no step of it make it the node's next level (C1). */
export function addedRungs(node: FileNode, written: readonly Rung[], secrets: Secrets): Rung[] {
  const used = new Set(written.flatMap(({ steps }) => steps.map(({ driver }) => driver)))
  return [...secrets.drivers].flatMap(([driver, { source, perNode }]): Rung[] => {
    if (used.has(driver) || !perNode.has(node.name)) return []
    const path = [driver, node.name]
    return [{ steps: [{ driver, path, source, entries: undefined }], verify: false, source, path }]
  })
}
