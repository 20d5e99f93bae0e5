/** Where the files of the demonstration are. */
import { fileURLToPath } from 'node:url'

/** The absolute path of a file beside this one. */
export function demoFile(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url))
}
