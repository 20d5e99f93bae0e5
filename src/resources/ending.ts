/** How a program of a resource ended, in words: `exited with 1: "no such table"`. */
import type { ProgramEnd } from './program.ts'

/** How much of what it said stands in a sentence. */
const SAID_MAX = 400

/** `means`: what its kind of program says with an exit code. */
export function ending(
  end: ProgramEnd,
  program: string | undefined,
  means: (code: number | undefined) => string = () => '',
): string {
  const said = end.output === '' ? '' : `: "${end.output.slice(-SAID_MAX).replaceAll('\n', ' | ')}"`
  switch (end.notRun) {
    case 'missing':
      return `cannot be run: there is no ${program} on this node`
    case 'forbidden':
      return `cannot be run: ${program} is not executable`
    case 'directory':
      return 'cannot be run: its directory cannot be entered'
    case 'scope':
      return 'cannot be run: its scope is closed'
    case 'spawn':
      return `cannot be run${said}`
    case undefined:
      if (end.signal !== undefined) return `was ended by ${end.signal}${said}`
      return `exited with ${end.code}${means(end.code)}${said}`
  }
}
