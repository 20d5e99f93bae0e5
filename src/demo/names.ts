/** Where the programs of the demonstration are. */
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The path of a program beside this file: `.ts` in a checkout, `.js` in a release. */
export function demoProgram(name: string): string {
  return fileURLToPath(new URL(`${name}${extname(import.meta.url)}`, import.meta.url))
}
