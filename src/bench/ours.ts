/**
 * Picket as a contender: the stage of the demonstration, with the address and the service grouped.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  activeNode,
  healthy,
  raise,
  restore,
  type StageOptions,
  statusFrom,
  strike,
} from '../demo/stage.ts'
import { readTimeline } from '../demo/timeline.ts'
import { ownersOf } from '../demo/witness.ts'
import { daemonOf, downLab, exec, LabError, type Profile, until, upLab } from '../lab/lab.ts'
import { home } from '../lab/names.ts'
import type { Contender, Mover } from './contender.ts'
import { webServer } from './web.ts'

const grouped = 'groups: [{ id: site, members: [vip, web] }]'

export async function openPicket(
  profile: Profile,
  daemon: StageOptions['daemon'],
  name = 'bench',
): Promise<Contender> {
  await downLab(name)
  const stage = await raise({
    name,
    profile,
    daemon,
    extra: grouped,
    everyMs: 100,
    service: webServer,
  })
  const { lab } = stage
  return {
    name: 'Picket',
    lab,
    onCorosync: true,
    /** A daemon that restarts leads no more. */
    async arrange(led) {
      for (let tries = 0; tries < 6; tries++) {
        const active = activeNode(stage)
        const leader = (await statusFrom(stage, active))?.coordinator
        if (leader === undefined || (leader === active) === led) return true
        const found = daemonOf(lab, leader)
        if (found !== undefined) process.kill(found.pid, 'SIGKILL')
        await sleep(1_500)
        await healthy(stage)
      }
      return false
    },
    async device(victim, sinceMs) {
      const { sentMs, confirmedMs } = readTimeline(lab, victim, sinceMs)
      if (sentMs === undefined || confirmedMs === undefined) return undefined
      return { fromMs: sentMs, untilMs: confirmedMs }
    },
    restore: () => restore(stage),
    close: () => strike(stage),
  }
}

/** With the address alone. */
export async function openMover(
  profile: Profile,
  daemon: StageOptions['daemon'],
  name = 'bench',
): Promise<Mover> {
  await downLab(name)
  const lab = await upLab({ name, profile, daemon })
  if (!(await until(() => ownersOf(lab).length === 1, 60_000, 100))) {
    await downLab(name)
    throw new LabError('No node has taken the address.')
  }
  return {
    name: 'Picket',
    lab,
    async move(to) {
      const argv = [`${home}/bin/picket`, 'move', 'vip', to]
      const { status, stderr } = await exec(lab, lab.nodes[0]!, argv)
      if (status !== 0) throw new LabError(`\`picket move\`: ${stderr.trim()}`)
    },
    close: async () => void (await downLab(name)),
  }
}
