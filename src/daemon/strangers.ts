/**
 * Other programs that fence and move services. Two masters on one node would start what the other
 * has just stopped, and fence what the other relies on (H24).
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'

/** By the name that the kernel shows. */
const masters: Readonly<Record<string, string>> = {
  pacemakerd: 'Pacemaker',
  'pacemaker-contr': 'Pacemaker',
  sbd: 'sbd',
}

/**
 * Why picketd must not run beside what runs here already; `undefined` where nothing is in its way.
 */
export function otherMaster(procDir = '/proc'): string | undefined {
  for (const pid of readdirSync(procDir).filter((name) => /^\d+$/.test(name))) {
    const master = masters[nameOf(procDir, pid)]
    if (master === undefined) continue
    return (
      `${master} manages this node (process ${pid}), and two managers would work against each ` +
      'other. Stop it on every node and keep it from starting (systemctl disable --now pacemaker ' +
      'sbd) before you start picketd; to keep Pacemaker, use the fence agents instead.'
    )
  }
  return undefined
}

/**
 * Pacemaker fences from this node, so that no picketd can run here. Believed only of root's
 * processes, because anybody may give any name to his own, and not of those in a container here.
 */
export function pacemakerHere(procDir = '/proc'): boolean {
  const own = spaceOf(procDir, 'self')
  return readdirSync(procDir).some(
    (pid) =>
      /^\d+$/.test(pid) &&
      /^pacemaker(d|-fence)$/.test(nameOf(procDir, pid)) &&
      statSync(`${procDir}/${pid}`, { throwIfNoEntry: false })?.uid === 0 &&
      spaceOf(procDir, pid) === own,
  )
}

/** The process namespace that it lives in; empty where nobody tells. */
function spaceOf(procDir: string, pid: string): string {
  try {
    return readlinkSync(`${procDir}/${pid}/ns/pid`)
  } catch {
    return ''
  }
}

function nameOf(procDir: string, pid: string): string {
  try {
    return readFileSync(`${procDir}/${pid}/comm`, 'utf8').trim()
  } catch {
    return ''
  }
}
