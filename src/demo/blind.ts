/**
 * The checker on trial: the same cluster, but with a daemon that believes a node dead without
 * pressing or reading anything. A frozen node then has a twin, and the checker has to see both.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { freeze, type Profile, thaw, until } from '../lab/lab.ts'
import { activeNode, raise, strike } from './stage.ts'

const mutation = fileURLToPath(new URL('./without-fencing.ts', import.meta.url))

/** Why the checker cannot be tried here; `undefined` where it can. */
export function whyNoTrial(): string | undefined {
  if (existsSync(mutation)) return undefined
  return 'the checker is tried in a checkout alone: a release has no sources to take fencing out of'
}

/** The command line of a daemon that fences nobody. */
export function blindDaemon(): readonly string[] {
  const main = fileURLToPath(new URL('../daemon/main.ts', import.meta.url))
  return [process.execPath, '--import', mutation, main, '--config', '/etc/picket/config.yaml']
}

/** Everything that the checker reported; empty if it saw nothing, which is a failure. */
export async function checkerReports(
  profile: Profile,
  tell: (line: string) => void,
  name = 'demo',
): Promise<string[]> {
  const stage = await raise({ name, profile, daemon: blindDaemon() })
  try {
    const victim = activeNode(stage)
    tell(`${victim} freezes; nobody fences it`)
    await freeze(stage.lab, victim)
    // The address may stay: its new node finds it in use, because a frozen kernel answers. The
    // service does not ask, and meets the lock of its frozen twin.
    await until(() => stage.witness.overlaps().length > 0, 20_000, 50)
    tell(`${victim} thaws beside its twin`)
    await thaw(stage.lab, victim)
    await new Promise((done) => setTimeout(done, 1_000))
    return stage.witness.overlaps()
  } finally {
    await strike(stage)
  }
}
