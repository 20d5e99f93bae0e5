/**
 * keepalived as a contender: VRRP as its documentation shows it, an advertisement a second. It has
 * no quorum and fences nobody, and starts no service: that runs on every node all the time.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { ownersOf } from '../demo/witness.ts'
import {
  downLab,
  exec,
  type Lab,
  LabError,
  type Profile,
  processesIn,
  spawnIn,
  until,
  upLab,
  VIP,
} from '../lab/lab.ts'
import { cannotFind } from '../lab/programs.ts'
import { type Contender, mendNodes } from './contender.ts'
import { webServer } from './web.ts'

export const whyNoKeepalived = () => cannotFind(['keepalived'])

export async function openKeepalived(profile: Profile, name = 'bench-k'): Promise<Contender> {
  await downLab(name)
  const lab = await upLab({ name, profile, daemon: false })
  const restore = async () => {
    await mendNodes(lab)
    for (const node of lab.nodes) await start(lab, node)
    if (!(await until(() => ownersOf(lab).length === 1, 30_000, 100))) {
      throw new LabError('keepalived does not settle on one owner of the address.')
    }
    // The one with the highest priority has it back by then, and the neighbours know.
    await sleep(5_000)
  }
  await restore()
  return {
    name: 'keepalived',
    lab,
    onCorosync: false,
    // Whoever has the address is the master; there is nobody else who leads.
    arrange: async (led) => led,
    device: async () => undefined,
    restore,
    close: async () => void (await downLab(name)),
  }
}

async function start(lab: Lab, node: string): Promise<void> {
  if (processesIn(lab, node).some((process) => process.name === 'keepalived')) return
  const priority = 160 - 10 * (lab.nodes.indexOf(node) + 1)
  const config = `global_defs { router_id ${node} }
vrrp_instance V {
  state BACKUP
  interface eth0
  virtual_router_id 51
  priority ${priority}
  advert_int 1
  virtual_ipaddress { ${VIP}/24 }
}
`
  const put = ['sh', '-c', 'cat >/run/keepalived.conf']
  const { status, stderr } = await exec(lab, node, put, { input: config })
  if (status !== 0) throw new LabError(`keepalived cannot be configured on ${node}: ${stderr}`)
  const quiet = { stdio: 'ignore' } as const
  spawnIn(lab, node, ['keepalived', '-n', '-P', '-f', '/run/keepalived.conf'], quiet)
  spawnIn(lab, node, [...webServer], quiet)
}
