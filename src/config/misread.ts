/**
 * Numbers in YAML that would not reach a foreign program as they are written: `0755` is 755, `0x1f`
 * is 31, and of twenty digits the last ones are lost. A schema sees the number alone.
 */
import type { Problem } from './problem.ts'
import { isMap } from './secrets.ts'
import type { Path, Source } from './yaml.ts'

/** Each such number in a map of parameters. With `secret` no sentence repeats one. */
export function misreadIn(
  source: Source,
  path: Path,
  values: unknown,
  secret: boolean,
): readonly Problem[] {
  if (!isMap(values)) return []
  return Object.entries(values).flatMap(([name, value]): readonly Problem[] => {
    const at = [...path, name]
    const written = source.writtenAt(at)
    if (typeof value !== 'number' || written === undefined || written === String(value)) return []
    const what = secret ? 'is a number' : `is ${written}, which as a number is ${value}`
    const message = `${name} ${what}; put it in quotes, so that it is passed on as it is written`
    return [{ ...source.placeOf(at), message }]
  })
}
