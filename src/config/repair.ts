/**
 * Makes a file that its schema refuses fit it, by leaving out what is wrong: so that one run also
 * finds what is wrong elsewhere. What comes out is looked at for problems and never used.
 */
import { type ConfigFile, configSchema } from './schema.ts'
import type { Path } from './yaml.ts'

/** Begins every name that stands for one that is missing or wrong. */
export const placeholder = 'picket-unnamed-'

const attemptsMax = 8

/** The rest of a refused file; undefined where nothing of it can be read. */
export function withoutFaults(value: unknown): ConfigFile | undefined {
  const rest: unknown = structuredClone(value)
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const parsed = configSchema.safeParse(rest)
    if (parsed.success) return parsed.data
    for (const issue of parsed.error.issues) {
      if (issue.code === 'unrecognized_keys') {
        for (const key of issue.keys) remove(rest, [...issue.path, key])
      } else if (!remove(rest, issue.path) && !fillIn(rest, issue.path)) {
        return undefined
      }
    }
  }
  return undefined
}

/**
 * Take a value out of its map. An item of a list becomes an empty map, so that none moves up; where
 * that does not fit either, the list goes.
 */
function remove(root: unknown, path: Path): boolean {
  const { holder, key } = holderOf(root, path)
  if (holder === undefined || key === undefined || !Object.hasOwn(holder, key)) return false
  if (!Array.isArray(holder)) return Reflect.deleteProperty(holder, key)
  if (typeof holder[Number(key)] === 'object') return remove(root, path.slice(0, -1))
  holder[Number(key)] = {}
  return true
}

/** Names and types are required: put something in their place that is recognised later. */
function fillIn(root: unknown, path: Path): boolean {
  const { holder, key } = holderOf(root, path)
  if (holder === undefined || (key !== 'name' && key !== 'id' && key !== 'type')) return false
  Reflect.set(holder, key, `${placeholder}${path.filter(Number.isInteger).join('-') || 'name'}`)
  return true
}

function holderOf(root: unknown, path: Path) {
  let holder = root
  for (const part of path.slice(0, -1)) {
    holder = isHolder(holder) && Object.hasOwn(holder, part) ? Reflect.get(holder, part) : undefined
  }
  return { holder: isHolder(holder) ? holder : undefined, key: path.at(-1) }
}

function isHolder(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
