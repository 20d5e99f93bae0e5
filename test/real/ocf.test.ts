/**
 * OCF agents of Debian in a real cluster: what they hold moves when its node dies, and one that
 * cannot be started costs no node.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { askOnce } from '../../src/cli/control.ts'
import { statusIn } from '../../src/cli/status.ts'
import type { Status } from '../../src/core/status.ts'
import { crash, downLab, exec, initOf, type Lab, upLab, whyNoLab } from '../../src/lab/lab.ts'
import { missing } from '../needs.ts'
import { eventually, quiet } from './cluster.ts'

const name = `ocf-${process.pid}`
const skip = whyNoLab() ?? missing('/usr/lib/ocf/resource.d/heartbeat/IPaddr2', 'modprobe')
const address = '10.77.0.101'

const resources = [
  {
    ...{ id: 'address', type: 'ocf', agent: 'ocf:heartbeat:IPaddr2' },
    params: { ip: address, cidr_netmask: 24, nic: 'eth0', arp_count: 1 },
    monitor_every_seconds: 1,
  },
  // Installed nowhere.
  { id: 'unknown', type: 'ocf', agent: 'ocf:heartbeat:NoSuchAgent', params: {} },
  // Refused by its agent, on every node.
  { id: 'refused', type: 'ocf', agent: 'ocf:heartbeat:Filesystem', params: { fstype: 'ext4' } },
]

describe('OCF agents in a cluster', { skip }, () => {
  let lab: Lab
  before(async () => {
    lab = await upLab({ name, nodes: 3, profile: 'lan', resources })
  })
  after(async () => {
    await downLab(name)
  })

  async function statusAt(node: string): Promise<Status | undefined> {
    const init = initOf(lab, node)
    if (init === undefined) return undefined
    const socket = `/proc/${init.pid}/root/run/picket/control.sock`
    try {
      return statusIn(await askOnce(socket, { do: 'status' }, 2_000))
    } catch {
      return undefined
    }
  }
  async function holders(): Promise<readonly string[]> {
    const up = lab.nodes.filter((node) => initOf(lab, node) !== undefined)
    const told = await Promise.all(up.map((node) => exec(lab, node, ['ip', '-o', 'addr'])))
    return up.filter((_, index) => told[index]?.stdout.includes(`${address}/24`))
  }

  test('H2 an address of IPaddr2 moves when its node dies; what cannot be started fences nobody', async () => {
    await eventually('the address is up', async () => (await holders()).length === 1)
    // Probes, starts and stops of the two others have all been tried by then.
    await quiet(15_000)
    const [active = ''] = await holders()
    const before = await statusAt(active)
    assert.deepEqual(
      before?.nodes.map(({ standing }) => standing),
      ['member', 'member', 'member'],
    )
    await crash(lab, active)
    await eventually('the address is up elsewhere', async () => {
      const [now] = await holders()
      return now !== undefined && now !== active
    })
    const [now = ''] = await holders()
    const status = await eventually('it is told', async () => {
      const told = await statusAt(now)
      const state = told?.resources.find(({ id }) => id === 'address')?.state
      return state === 'running' ? told : undefined
    })
    const others = status.nodes.filter(({ id }) => id !== active)
    assert.deepEqual(
      others.map(({ standing }) => standing),
      ['member', 'member'],
    )
  })
})
