/**
 * What each fault of a soak does to a lab, and how it ends. All of it is done from outside, as the
 * world would do it; only orders of operators go through `picket`.
 */
import { statfsSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Stage } from '../demo/stage.ts'
import {
  type BmcMode,
  bmc,
  bmcAddress,
  bmcLogin,
  cut,
  daemonOf,
  exec,
  execInSwitch,
  freeze,
  heal,
  initOf,
  type Lab,
  netnsPath,
  type Process,
  power,
  processesIn,
  thaw,
  VIP,
} from '../lab/lab.ts'
import { nodeDir } from '../lab/names.ts'
import { signal } from '../lab/processes.ts'
import { LabError, must, run } from '../lab/run.ts'
import { order } from './orders.ts'
import type { FaultKind } from './plan.ts'

/** Ends what a deed has begun. */
type End = () => Promise<void>
type Deed = (stage: Stage, node: string, amount: number) => Promise<End | undefined>

const nothing = undefined

export const deeds: Readonly<Record<FaultKind, Deed>> = {
  'daemon-killed': ({ lab }, node) => hit(daemonIn(lab, node), 'SIGKILL'),
  'daemon-stopped': ({ lab }, node) => hit(daemonIn(lab, node), 'SIGTERM'),
  'daemon-frozen': ({ lab }, node) => hold(daemonIn(lab, node)),
  'corosync-killed': ({ lab }, node) => hit(corosyncIn(lab, node), 'SIGKILL'),
  'corosync-frozen': ({ lab }, node) => hold(corosyncIn(lab, node)),
  async 'node-frozen'({ lab }, node) {
    await freeze(lab, node)
    return async () => {
      if (initOf(lab, node) !== undefined) await thaw(lab, node)
    }
  },
  async 'service-killed'({ lab }, node) {
    await within(lab, node, ['pkill', '-KILL', '-f', 'demo/service'])
    return nothing
  },
  async 'address-lost'({ lab }, node) {
    await within(lab, node, ['ip', 'addr', 'del', `${VIP}/24`, 'dev', 'eth0'])
    return nothing
  },
  async cut({ lab }, node) {
    await cut(lab, node)
    return () => heal(lab, node)
  },
  async 'link-cut'({ lab }, node, amount) {
    await cut(lab, node, { link: amount === 0 ? 0 : 1 })
    return () => heal(lab, node)
  },
  async deaf({ lab }, node) {
    await cut(lab, node, { oneWay: true })
    return () => heal(lab, node)
  },
  loss: ({ lab }, node, amount) => loseSome(lab, node, amount),
  slow: ({ lab }, node, amount) => sayLate(lab, node, amount),
  'bmc-hangs': ({ lab }, node, amount) => misbehave(lab, node, amount, { mode: 'hang' }),
  'bmc-ignores': ({ lab }, node, amount) => misbehave(lab, node, amount, { mode: 'ignore' }),
  'bmc-lies': ({ lab }, node, amount) => misbehave(lab, node, amount, { mode: 'lie' }),
  'bmc-slow': ({ lab }, node, amount) => misbehave(lab, node, 3, { mode: 'slow', ms: amount }),
  'disk-full': ({ lab }, node) => fillDisk(lab, node),
  async 'power-lost'({ lab }, node) {
    await power(lab, node, 'off')
    return nothing
  },
  async reboot({ lab }, node) {
    await power(lab, node, 'off')
    return () => power(lab, node, 'on')
  },
  'bmc-reset': ({ lab }, node) => press(lab, node, 'reset'),
  'bmc-off': ({ lab }, node) => press(lab, node, 'off'),
  standby: (stage, node) => want(stage, ['standby', node], ['unstandby', node]),
  move: (stage, node) => want(stage, ['move', 'vip', node], ['unmove', 'vip']),
  ban: (stage, node) => want(stage, ['ban', 'vip', node], ['unban', 'vip', node]),
  disable: (stage) => want(stage, ['disable', 'web'], ['enable', 'web']),
  'fence-reboot': (stage, node) => want(stage, ['fence', 'reboot', node, '--yes'], undefined),
  'fence-off': (stage, node) =>
    want(stage, ['fence', 'off', node, '--yes'], ['fence', 'on', node, '--yes']),
}

function daemonIn(lab: Lab, node: string): Process {
  const found = daemonOf(lab, node)
  if (found === undefined) throw new LabError(`${node} has no picketd`)
  return found
}

function corosyncIn(lab: Lab, node: string): Process {
  const found = processesIn(lab, node).find(({ name }) => name === 'corosync')
  if (found === undefined) throw new LabError(`${node} has no Corosync`)
  return found
}

async function hit({ pid }: Process, how: NodeJS.Signals): Promise<undefined> {
  signal(pid, how)
}

async function hold({ pid }: Process): Promise<End> {
  signal(pid, 'SIGSTOP')
  return async () => signal(pid, 'SIGCONT')
}

async function within(lab: Lab, node: string, argv: readonly string[]): Promise<void> {
  const { status, stderr } = await exec(lab, node, argv)
  if (status !== 0) throw new LabError(`${argv[0]} on ${node}: ${stderr.trim() || 'nothing found'}`)
}

/** It hears less, and still says everything. */
async function loseSome(lab: Lab, node: string, percent: number): Promise<End> {
  const nft = ['nsenter', `--net=${netnsPath(lab, node)}`, 'nft']
  const drop = `numgen random mod 100 < ${percent} drop`
  const input = `table inet picket_soak { chain loss {
    type filter hook prerouting priority -390; iifname { eth0, eth1 } ${drop}; }; }`
  await must([...nft, '-f', '-'], { input })
  // A node that has booted meanwhile has forgotten it.
  return async () => void (await run([...nft, 'delete', 'table', 'inet', 'picket_soak']))
}

/** A slow line with a long queue: what the node says arrives up to 0.4 s late. */
async function sayLate(lab: Lab, node: string, kbit: number): Promise<End> {
  const tc = ['nsenter', `--net=${netnsPath(lab, node)}`, 'tc', 'qdisc']
  const shape = ['tbf', 'rate', `${kbit}kbit`, 'burst', '4kb', 'latency', '400ms']
  const ends = ['eth0', 'eth1']
  for (const end of ends) await must([...tc, 'replace', 'dev', end, 'root', ...shape])
  return async () => {
    for (const end of ends) await run([...tc, 'del', 'dev', end, 'root'])
  }
}

/** `which`: the first BMC, the second, or 3 for both. */
async function misbehave(lab: Lab, node: string, which: number, mode: BmcMode): Promise<End> {
  const levels = ([1, 2] as const).filter((level) => which === 3 || which === level)
  for (const level of levels) await bmc(lab, node, level, mode)
  return async () => {
    for (const level of levels) await bmc(lab, node, level, { mode: 'ok' })
  }
}

/** Filled from outside, where it stays full while its node is off. */
async function fillDisk(lab: Lab, node: string): Promise<End> {
  const disk = path.join(nodeDir(lab, node), 'lib-picket')
  const fill = path.join(disk, 'fill')
  // What is removed meanwhile is filled again.
  const timer = setInterval(() => void fillUp().catch(() => undefined), 100)
  const fillUp = async () => {
    const { bavail, bsize } = statfsSync(disk)
    const size = statSync(fill, { throwIfNoEntry: false })?.size ?? 0
    if (bavail === 0) return
    await must(['fallocate', '-o', `${size}`, '-l', `${bavail * bsize}`, fill])
  }
  return async () => {
    clearInterval(timer)
    await sleep(200)
    await rm(fill, { force: true })
  }
}

/** Somebody who is not Picket uses the first BMC. */
async function press(lab: Lab, node: string, command: 'off' | 'reset'): Promise<undefined> {
  const { user, password } = await bmcLogin(lab, node)
  const where = ['-I', 'lanplus', '-C', '3', '-H', bmcAddress(lab, node, 1), '-U', user, '-E']
  const argv = ['ipmitool', ...where, 'chassis', 'power', command]
  const env = { IPMI_PASSWORD: password }
  const { status, stderr } = await execInSwitch(lab, argv, { env, timeoutMs: 30_000 })
  if (status !== 0) throw new LabError(`the BMC of ${node}: ${stderr.trim()}`)
}

async function want(
  stage: Stage,
  words: readonly string[],
  back: readonly string[] | undefined,
): Promise<End | undefined> {
  await order(stage, words)
  if (back === undefined) return nothing
  return () => order(stage, back)
}
