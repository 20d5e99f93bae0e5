/**
 * Two nodes on a real cluster, where either may go on without the other (S18): with `two_node`, where
 * both halves of a cut are quorate, and with a quorum device, which takes its time for a verdict.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { askOnce } from '../../src/cli/control.ts'
import { statusIn } from '../../src/cli/status.ts'
import type { Status } from '../../src/core/status.ts'
import {
  crash,
  cut,
  daemonOf,
  downLab,
  heal,
  initOf,
  type Lab,
  power,
  quorumOf,
  readBmcLog,
  upLab,
  whyNoArbiter,
  whyNoLab,
} from '../../src/lab/lab.ts'
import { eventually, quiet } from './cluster.ts'

const delaySeconds = 4

interface Stand {
  readonly lab: Lab
  /** What the service did, in order: `node1 up`, `node1 down`. */
  deeds(): readonly string[]
  strike(): Promise<void>
}

async function raise(kind: string, quorumDevice: boolean): Promise<Stand> {
  const folder = mkdtempSync(join(tmpdir(), 'picket-two-'))
  const log = join(folder, 'deeds')
  const note = (word: string) => `echo "$(hostname) ${word}" >> ${log}`
  const resources = [
    {
      ...{ id: 'service', type: 'exec', monitor_every_seconds: 1 },
      start: ['sh', '-c', `touch /run/up && ${note('up')}`],
      stop: ['sh', '-c', `test ! -e /run/up || { rm /run/up; ${note('down')}; }`],
      monitor: ['sh', '-c', 'test -e /run/up || exit 7'],
    },
  ]
  writeFileSync(log, '')
  const name = `two-${kind}-${process.pid}`
  const extra = `fence: { priority_delay_seconds: ${delaySeconds} }`
  const lab = await upLab({ name, nodes: 2, profile: 'lan', resources, extra, quorumDevice })
  return {
    lab,
    deeds: () => readFileSync(log, 'utf8').split('\n').filter(Boolean),
    strike: async () => {
      await downLab(name)
      rmSync(folder, { recursive: true })
    },
  }
}

async function statusAt(lab: Lab, node: string): Promise<Status | undefined> {
  const init = initOf(lab, node)
  if (init === undefined) return undefined
  const socket = `/proc/${init.pid}/root/run/picket/control.sock`
  return await askOnce(socket, { do: 'status' }, 2_000).then(statusIn, () => undefined)
}

const standingOf = (status: Status | undefined, node: string) =>
  status?.nodes.find(({ id }) => id === node)?.standing

/** Both are members, and the service runs on one of them: its name, and the other's. */
async function whole({ lab }: Stand): Promise<readonly [active: string, idle: string]> {
  return await eventually('both are members, and one runs the service', async () => {
    const status = await statusAt(lab, 'node1')
    const members = ['node1', 'node2'].filter((node) => standingOf(status, node) === 'member')
    const service = status?.resources.find(({ id }) => id === 'service')
    const active = service?.state === 'running' ? service.node : undefined
    if (!status?.ready || members.length < 2 || active === undefined) return undefined
    return [active, active === 'node1' ? 'node2' : 'node1'] as const
  })
}

const offs = async (lab: Lab, node: string) =>
  (await readBmcLog(lab, node, 1)).filter(({ event, command }) => {
    return event === 'done' && command === 'off'
  }).length

const proven = (lab: Lab, by: string, node: string) =>
  eventually(`${by} has proven ${node} off`, async () => {
    return standingOf(await statusAt(lab, by), node) === 'fenced'
  })

/** What holds with either kind of tie-breaker. */
function takesOver(stand: () => Stand): void {
  test('S18 the survivor of a dead node fences it, and runs its service', async () => {
    const { lab, deeds } = stand()
    const [active, idle] = await whole(stand())
    const before = deeds().length
    await crash(lab, active)
    await proven(lab, idle, active)
    await eventually('the service runs on the survivor', () => deeds().at(-1) === `${idle} up`)
    assert.deepEqual(deeds().slice(before), [`${idle} up`])
    await power(lab, active, 'on')
    await whole(stand())
  })

  test('H16 a daemon that stays silent is fenced by the only other one', async () => {
    const { lab, deeds } = stand()
    const [active, idle] = await whole(stand())
    const before = await offs(lab, active)
    const daemon = daemonOf(lab, active)
    assert.ok(daemon)
    process.kill(daemon.pid, 'SIGSTOP')
    await proven(lab, idle, active)
    assert.equal(await offs(lab, active), before + 1)
    await eventually('the service runs on the other one', () => deeds().at(-1) === `${idle} up`)
    await power(lab, active, 'on')
    await whole(stand())
  })
}

describe('two nodes with two_node', { skip: whyNoLab() ?? false }, () => {
  let stand: Stand
  before(async () => {
    stand = await raise('wfa', false)
  })
  after(async () => {
    await stand?.strike()
  })

  takesOver(() => stand)

  test('S18 of two that are cut apart one dies: the one without the service', async () => {
    const { lab, deeds } = stand
    const [active, idle] = await whole(stand)
    const before = { active: await offs(lab, active), idle: await offs(lab, idle) }
    const told = deeds().length
    await cut(lab, idle)
    await proven(lab, active, idle)
    // Longer than the other one would have waited.
    await quiet((delaySeconds + 2) * 1_000)
    assert.equal(await offs(lab, idle), before.idle + 1)
    assert.equal(await offs(lab, active), before.active)

    // It comes back, and cannot see the other one: it decides nothing (wait_for_all).
    await power(lab, idle, 'on')
    await eventually('its Corosync is up', async () => await quorumOf(lab, idle))
    await quiet(5_000)
    assert.equal((await quorumOf(lab, idle))?.quorate, false)
    assert.equal(await offs(lab, active), before.active)
    assert.deepEqual(deeds().slice(told), [])
    await heal(lab, idle)
    assert.deepEqual(await whole(stand), [active, idle])
    assert.deepEqual(deeds().slice(told), [])
  })
})

describe('two nodes with a quorum device', { skip: whyNoLab() ?? whyNoArbiter() ?? false }, () => {
  let stand: Stand
  before(async () => {
    stand = await raise('device', true)
  })
  after(async () => {
    await stand?.strike()
  })

  takesOver(() => stand)

  test('S18 of two that are cut apart nobody acts before the verdict, and one survives', async () => {
    const { lab } = stand
    const [active, idle] = await whole(stand)
    const before = { [active]: await offs(lab, active), [idle]: await offs(lab, idle) }
    await cut(lab, idle)
    const [winner, loser] = await eventually(
      'one of them has proven the other one off',
      async () => {
        for (const [one, other] of [
          [active, idle],
          [idle, active],
        ] as const) {
          if (standingOf(await statusAt(lab, one), other) === 'fenced') return [one, other] as const
        }
        return undefined
      },
    )
    assert.equal(await offs(lab, loser), before[loser]! + 1)
    await quiet((delaySeconds + 2) * 1_000)
    assert.equal(await offs(lab, winner), before[winner])
    await heal(lab, idle)
    await power(lab, loser, 'on')
    const [at] = await whole(stand)
    assert.equal(at, winner)
  })
})
