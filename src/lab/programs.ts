/**
 * The programs of others that the lab and the tests run. Which Debian package brings each of them
 * stands in debian.json and nowhere else: bin/setup.mjs installs from it, and a sentence about
 * what is missing names the package from it. `a | b` is the first one that a Debian has; the last
 * one is in all of them.
 */
import { accessSync, constants } from 'node:fs'
import { resolve } from 'node:path'
import debian from './debian.json' with { type: 'json' }
import { searchPath } from './run.ts'

const packageOf = { ...debian.demo, ...debian.test, ...debian.bench }

/** A program by its name, or a file by its path. */
export type Program = keyof typeof packageOf

/** What a lab runs. */
export const labPrograms = Object.keys(debian.demo) as readonly (keyof typeof debian.demo)[]

/** Which of these are missing, as a sentence that says what mends it; `undefined`: none. */
export function cannotFind(programs: readonly Program[], path = searchPath): string | undefined {
  const missing = programs.filter((program) => !isInstalled(program, path))
  if (missing.length === 0) return undefined
  const packages = new Set(missing.map((program) => packageOf[program].split(' | ').at(-1)))
  return `${missing.join(', ')} cannot be found: run \`apt install ${[...packages].join(' ')}\`.`
}

function isInstalled(program: string, path: string): boolean {
  const runs = program.startsWith('/') ? constants.R_OK : constants.X_OK
  return path.split(':').some((folder) => {
    try {
      accessSync(resolve(folder, program), runs)
      return true
    } catch {
      return false
    }
  })
}
