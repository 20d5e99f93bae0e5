/** Every action that needs a driver. Loaded when one is asked for: all else answers without it. */
import { keepChildrenInGroup } from '../foreign/child.ts'
import type { Call } from './call.ts'
import { list, mistaken, monitor, type Seen, status, validate } from './look.ts'
import { verifyAgent } from './names.ts'
import { switchAll } from './power.ts'
import { CallError, keepDelay, openSite } from './site.ts'
import { verifyWith } from './verify.ts'

/** Never throws; every failure is a line and an exit code. */
export async function act(call: Call, tell: (text: string) => void): Promise<Seen> {
  // Whoever ends us with our group means what we run as well.
  keepChildrenInGroup()
  // Whoever asks us alone to end means it as well.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.once(signal, () => process.exit(1))
  }
  try {
    return await done(call, tell)
  } catch (error) {
    if (error instanceof CallError) return mistaken(call, error)
    const what = error instanceof Error ? error.name : typeof error
    return { code: 1, err: `Failed: the agent broke (${what}): report this as a fault of Picket` }
  }
}

async function done(call: Call, tell: (text: string) => void): Promise<Seen> {
  const { action } = call
  if (action === 'list' || action === 'list-status') return await list(call)
  if (call.agent === verifyAgent) return await verifyWith(call, tell)
  switch (action) {
    case 'off':
    case 'on':
    case 'reboot': {
      const site = await openSite(call)
      await keepDelay(call)
      const { ok, text } = await switchAll(site, call, { action, tell })
      return ok ? { code: 0, out: text } : { code: 1, err: text }
    }
    case 'status':
      return await status(call)
    case 'monitor':
      return await monitor(call)
    case 'validate-all':
      return await validate(call)
    default:
      return { code: 1, err: `Failed: Unrecognised action '${action}'` }
  }
}
