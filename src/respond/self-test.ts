/**
 * The whole round on a machine that is not there, in the directory that is: the agent writes, a
 * responder of this process answers, and everything that has to hold is looked at.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { runAgent } from '../recorder/agent.ts'
import type { Request } from '../recorder/message.ts'
import { openPlace } from '../recorder/place.ts'
import { verifyLogs } from '../recorder/verify.ts'
import { startResponder } from './responder.ts'
import type { Work } from './work.ts'

const target = 'self-test'

/** Tells each step with what was found; false when one of them did not hold. */
export async function selfTest(
  directory: string,
  tell: (ok: boolean, text: string) => void,
): Promise<boolean> {
  openPlace(directory)
  const dir = mkdtempSync(join(directory, 'self-test-'))
  const place = openPlace(join(dir, 'requests-here'))
  const machine = { power: 'on' as 'on' | 'off', deeds: 0 }
  const responder = startResponder({
    ...{ place, name: 'self-test', work: workOn(machine), parallelMax: 4, tries: 1 },
    hooks: { before: async () => {}, after: async () => {} },
    say: () => {},
  })
  let good = true
  const step = (ok: boolean, text: string): void => {
    good &&= ok
    tell(ok, text)
  }
  try {
    await responder.acts
    const logDir = join(dir, 'logs')
    const run = (action: string) => agent(place.dir, logDir, action)
    step((await run('monitor')).code === 0, 'the agent finds that a responder is there')
    const off = await run('off')
    step(off.code === 0 && machine.power === 'off', `off is asked for, done and told${off.err}`)
    step((await run('status')).code === 2, 'the power is read as off')
    const kept = readdirSync(place.kept).length
    step(kept >= 2, 'the request and its response are kept')
    const twice = requestOf({ action: 'on' })
    const answers = await Promise.all([responder.submit(twice), responder.submit(twice)])
    const once = answers.every((each) => each?.success) && machine.deeds === 2
    step(once, 'a request that comes twice is carried out once')
    const late = requestOf({ action: 'off', deadline: new Date(Date.now() - 1).toISOString() })
    const refused = await responder.submit(late)
    step(refused?.success === false && machine.power === 'on', 'one that is too late is refused')
    const logs = await verifyLogs(logDir)
    step(logs.finding === undefined && logs.lines >= 3, 'the logs are written, and whole')
    await responder.close()
    step((await run('monitor')).code === 1, 'the agent finds that nobody is there any more')
  } finally {
    await responder.close()
    if (existsSync(dir)) rmSync(dir, { recursive: true, force: true })
  }
  return good
}

function workOn(machine: { power: 'on' | 'off'; deeds: number }): Work {
  return {
    nodes: () => [target],
    async carryOut({ action }) {
      if (action === 'status') return { success: true, message: 'read', power: machine.power }
      machine.deeds++
      machine.power = action === 'off' ? 'off' : 'on'
      return { success: true, message: 'nobody was there, and now it is done' }
    },
  }
}

function requestOf(some: Pick<Request, 'action'> & Partial<Request>): Request {
  const nowMs = Date.now()
  return {
    request_id: randomUUID(),
    timestamp: new Date(nowMs).toISOString(),
    target_node: target,
    gfs2_filesystems: [],
    recorder_node: 'self-test',
    deadline: new Date(nowMs + 10_000).toISOString(),
    ...some,
  }
}

async function agent(directory: string, logDir: string, action: string) {
  let err = ''
  const more = `plug=${target}\nrecorder_timeout=10\ngfs2_discovery=0\n`
  const code = await runAgent({
    ...{ name: 'fence_recorder', args: [], env: {} },
    input: async () => `action=${action}\ndirectory=${directory}\nlog_dir=${logDir}\n${more}`,
    out: () => {},
    err: (text) => {
      err += ` (${text})`
    },
  })
  return { code, err }
}
