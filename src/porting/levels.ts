/**
 * Which devices Pacemaker would use for a node, and in which order: its fencing levels by name, by
 * pattern or by attribute; where there are none, every device that is for it, by priority.
 */
import { runInNewContext } from 'node:vm'
import type { Cib, CibDevice, CibLevel, CibNode, Target } from './cib.ts'
import type { Remark } from './draft.ts'
import type { Hosts } from './hosts.ts'

/** The ids of the devices of each level of a node. */
export function levelsOf(
  node: CibNode,
  cib: Cib,
  hosts: ReadonlyMap<string, Hosts>,
  remarks: Remark[],
): readonly (readonly string[])[] {
  const levels = levelsFor(node, cib.levels, remarks)
  if (levels.length > 0) return levels.map(({ devices }) => devices)
  const usable = cib.devices.filter(({ id }) => hosts.get(id)?.named?.includes(node.name))
  const priority = (device: CibDevice) => Number(device.meta.get('priority')) || 0
  return usable.toSorted((a, b) => priority(b) - priority(a)).map(({ id }) => [id])
}

/** Levels of its name; else those of the first pattern or attribute that it fits. */
function levelsFor(
  node: CibNode,
  all: readonly CibLevel[],
  remarks: Remark[],
): readonly CibLevel[] {
  const groups = Map.groupBy(all, ({ target }) => JSON.stringify(target))
  const fitting = [...groups.values()].filter(([first]) => first && fits(node, first, remarks))
  const byName = fitting.find(([first]) => first?.target.by === 'node')
  const chosen = byName ?? fitting[0] ?? []
  if (byName === undefined && fitting.length > 1) {
    const text =
      `levels of several patterns or attributes fit ${node.name}; the first one is taken, ` +
      'where Pacemaker takes any'
    remarks.push({ lost: true, line: fitting[1]?.[0]?.line ?? 0, text })
  }
  return chosen.toSorted((a, b) => a.index - b.index)
}

function fits(node: CibNode, { target, line }: CibLevel, remarks: Remark[]): boolean {
  switch (target.by) {
    case 'node':
      return target.name.toLowerCase() === node.name.toLowerCase()
    case 'attribute':
      return node.attributes.get(target.name) === target.value
    case 'pattern':
      return matches(target, node.name, line, remarks)
  }
}

/** Far above what a pattern takes, far below what anybody would wait. */
const PATTERN_MAX_MS = 250
/** After so many that cannot be used the others are not tried any more. */
const patternsMax = 20
const patternStart = 'the pattern of the level for '

/** A POSIX pattern, searched for in a name. One that never ends is no pattern. */
function matches(
  { pattern }: Extract<Target, { by: 'pattern' }>,
  name: string,
  line: number,
  remarks: Remark[],
): boolean {
  const ours = pattern
    .replaceAll('[:digit:]', '0-9')
    .replaceAll('[:alpha:]', 'A-Za-z')
    .replaceAll('[:alnum:]', 'A-Za-z0-9')
    .replaceAll('[:lower:]', 'a-z')
    .replaceAll('[:upper:]', 'A-Z')
  const text = `${patternStart}${JSON.stringify(pattern.slice(0, 60))} cannot be \
used: write the levels of these nodes by hand`
  const refused = remarks.filter((each) => each.text.startsWith(patternStart))
  if (refused.length > patternsMax || refused.some((each) => each.text === text)) return false
  try {
    if (pattern.length > 1024) throw new RangeError('too long')
    const context = { pattern: ours, name }
    const found = runInNewContext('new RegExp(pattern).test(name)', context, {
      timeout: PATTERN_MAX_MS,
    })
    return found === true
  } catch {
    remarks.push({ lost: true, line, text })
    return false
  }
}
