/** The version of this program, for `--version` of all its faces. */
import { readFileSync } from 'node:fs'

/** As in package.json, which lies beside `src`. */
export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
