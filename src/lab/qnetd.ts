/**
 * The quorum device of a lab: Corosync's own arbiter, `corosync-qnetd`, beside the switch, where
 * the nodes reach it over the management link, which is never cut. In the nodes `corosync-qdevice`
 * asks it which half may go on.
 */

import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import path from 'node:path'
import { type Lab, switchNetns } from './names.ts'
import { cannotFind } from './programs.ts'
import { cleanEnv, LabError, run, until } from './run.ts'

/** Where the arbiter listens: the switch's address on the management link. */
export const arbiterAddress = '10.77.2.254'

/** Why there can be no quorum device here; `undefined` where there can be one. */
export function whyNoArbiter(): string | undefined {
  return cannotFind(['corosync-qnetd', 'corosync-qdevice'])
}

/** Starts the arbiter and waits until it answers. It ends with the lab. */
export async function startArbiter(lab: Lab): Promise<void> {
  const log = openSync(path.join(lab.dir, 'qnetd.log'), 'a', 0o600)
  // It wants a /run of its own, and no TLS: the only network that leads to it is the lab's.
  const script =
    'mount -t tmpfs tmpfs /run && mkdir /run/corosync-qnetd && exec corosync-qnetd -f -s off'
  const netns = `/run/netns/${switchNetns(lab)}`
  const argv = [`--net=${netns}`, '--', 'unshare', '-m', 'sh', '-c', script]
  const stdio = ['ignore', log, log] as const
  spawn('nsenter', argv, { detached: true, stdio: [...stdio], env: { ...cleanEnv } }).unref()
  closeSync(log)
  const listens = await until(
    async () => {
      const { stdout } = await run(['nsenter', `--net=${netns}`, '--', 'ss', '-Hltn'])
      return stdout.includes(':5403')
    },
    10_000,
    100,
  )
  if (!listens) throw new LabError(`The quorum device does not listen: see ${lab.dir}/qnetd.log.`)
}
