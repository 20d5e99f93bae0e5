/**
 * What a lab needs of the machine: root, a few packages, a kernel with overlay mounts. Said at once
 * and in one sentence, before anything has been made.
 */
import { existsSync, readFileSync } from 'node:fs'
import { cannotFind, labPrograms } from './programs.ts'
import { LabError, searchPath } from './run.ts'

/** Why no lab can run here, as a sentence that says what mends it; `undefined` where one can. */
export function whyNoLab(path = searchPath): string | undefined {
  if (process.platform !== 'linux') return 'A lab needs Linux: it is made of namespaces.'
  if (process.getuid?.() !== 0) return 'A lab needs root: run the command with sudo.'
  const missing = cannotFind(labPrograms, path)
  if (missing !== undefined) return missing
  const kinds = readFileSync('/proc/filesystems', 'utf8')
  if (!/\boverlay\b/.test(kinds) && !existsSync('/sys/module/overlay')) {
    return 'The kernel has no overlay file system: run `modprobe overlay`.'
  }
  return undefined
}

/** Refuse to go on where no lab can run. */
export function checkNeeds(): void {
  const why = whyNoLab()
  if (why !== undefined) throw new LabError(why)
}
