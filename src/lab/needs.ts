/**
 * What a lab needs of the machine: root, a few packages, a kernel with overlay mounts. Said at once
 * and in one sentence, before anything has been made.
 */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LabError, searchPath } from './run.ts'

/** Each program, and the Debian package that brings it. */
const packageOf: Readonly<Record<string, string>> = {
  corosync: 'corosync',
  'corosync-quorumtool': 'corosync',
  ip: 'iproute2',
  nft: 'nftables',
  ipmi_sim: 'openipmi',
  ipmitool: 'ipmitool',
  nsenter: 'util-linux',
  unshare: 'util-linux',
  flock: 'util-linux',
}

/** Why no lab can run here, as a sentence that says what mends it; `undefined` where one can. */
export function whyNoLab(path = searchPath): string | undefined {
  if (process.platform !== 'linux') return 'A lab needs Linux: it is made of namespaces.'
  if (process.getuid?.() !== 0) return 'A lab needs root: run the command with sudo.'
  const programs = Object.keys(packageOf).filter((program) => !isInstalled(program, path))
  if (programs.length > 0) {
    const packages = [...new Set(programs.map((program) => packageOf[program]))]
    return `${programs.join(', ')} cannot be found: run \`apt install ${packages.join(' ')}\`.`
  }
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

function isInstalled(program: string, path: string): boolean {
  return path.split(':').some((dir) => {
    try {
      accessSync(join(dir, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
