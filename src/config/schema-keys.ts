/** Which keys a schema knows at a path, for "did you mean". */
import type { Path } from './yaml.ts'

/** As much of a schema as is needed to walk down in it. */
interface SchemaLike {
  readonly shape?: Readonly<Record<string, unknown>>
  readonly element?: unknown
  readonly unwrap?: () => unknown
}

/** The keys of the map at this path; none where the schema knows no map there. */
export function keysAt(schema: unknown, path: Path): readonly string[] {
  let at = schema
  for (const part of path) {
    const inner = unwrapped(at)
    at = typeof part === 'number' ? inner?.element : inner?.shape?.[String(part)]
  }
  return Object.keys(unwrapped(at)?.shape ?? {})
}

function unwrapped(schema: unknown): SchemaLike | undefined {
  let at = schema as SchemaLike | undefined
  while (at !== undefined && at.shape === undefined && at.element === undefined && at.unwrap) {
    at = at.unwrap() as SchemaLike | undefined
  }
  return at
}
