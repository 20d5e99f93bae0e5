/**
 * Other programs that fence and move services. Two masters on one node would start what the other
 * has just stopped, and fence what the other relies on (H24).
 */
import { readdirSync, readFileSync } from 'node:fs'

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

function nameOf(procDir: string, pid: string): string {
  try {
    return readFileSync(`${procDir}/${pid}/comm`, 'utf8').trim()
  } catch {
    return ''
  }
}
