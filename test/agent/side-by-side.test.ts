/**
 * Debian's fence agents and ours on the same devices: asked the same, they end with the same code
 * and leave the same power behind.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { run } from '../../src/lab/run.ts'
import { admin, noBmc } from '../fence/ipmi-sim.ts'
import { root, token } from '../fence/proxmox-double.ts'
import { optionsOf, start as startProxmox } from '../fence/proxmox-stand.ts'
import { operator, redfishDouble } from '../fence/redfish-double.ts'
import { idrac, ilo } from '../fence/redfish-profiles.ts'
import { optionsFor } from '../fence/redfish-stand.ts'
import { missing } from '../needs.ts'
import { agent, bmcFor, lines } from './agent.ts'

type Values = Readonly<Record<string, string | number>>

/** One device, and what each of the two is told to reach it. */
interface Pair {
  readonly theirs: Values
  readonly ours: Values
  /** What each is told for it not to get in. */
  readonly wrong: { readonly theirs: Values; readonly ours: Values }
  power(): 'on' | 'off'
  setPower(power: 'on' | 'off'): void
  /** From now on the device says yes, and does nothing. */
  ignore(): void
}

const steps: readonly (readonly ['on' | 'off', string, 'wrong'?])[] = [
  ['on', 'status'],
  ['on', 'monitor'],
  ['on', 'off'],
  ['off', 'status'],
  ['off', 'monitor'],
  ['off', 'off'],
  ['off', 'reboot'],
  ['on', 'reboot'],
  ['off', 'on'],
  ['on', 'on'],
  ['on', 'off', 'wrong'],
  ['on', 'monitor', 'wrong'],
  ['on', 'validate-all'],
]

/** Asks both, each of them on the device as it was. */
async function compare(theirAgent: string, ourAgent: string, pair: Pair): Promise<void> {
  const ask = async (name: string, values: Values) => {
    const input = lines(values)
    if (name === ourAgent) return (await agent(name, { input })).code
    return (await run([name], { input, timeoutMs: 60_000 })).status
  }
  const verdicts = async (power: 'on' | 'off', action: string, wrong: boolean, more: Values) => {
    const seen = []
    for (const side of ['theirs', 'ours'] as const) {
      pair.setPower(power)
      const name = side === 'ours' ? ourAgent : theirAgent
      const values = { ...pair[side], ...(wrong && pair.wrong[side]), ...more, action }
      seen.push([await ask(name, values), pair.power()])
    }
    return seen
  }
  for (const [power, action, wrong] of steps) {
    const [theirs, ours] = await verdicts(power, action, wrong !== undefined, {})
    assert.deepEqual(ours, theirs, `${action} while it is ${power}${wrong ? ', not let in' : ''}`)
  }
  pair.setPower('on')
  pair.ignore()
  const [theirs, ours] = await verdicts('on', 'off', false, { power_timeout: 2 })
  assert.deepEqual(theirs, [1, 'on'])
  assert.deepEqual(ours, theirs, 'off, and the device does nothing')
}

function same(
  title: string,
  theirAgent: string,
  ourAgent: string,
  { skip, start }: { skip: string | false; start: (t: TestContext) => Promise<Pair> },
): void {
  test(
    `A1 Debian's ${theirAgent} and ours come to the same verdicts${title}`,
    { skip },
    async (t) => compare(theirAgent, ourAgent, await start(t)),
  )
}

same('', 'fence_ipmilan', 'fence_picket_ipmi', {
  skip: noBmc || missing('fence_ipmilan'),
  async start(t) {
    const { bmc, device } = await bmcFor(t)
    const theirs = {
      ip: '127.0.0.1',
      ipport: bmc.port,
      username: admin.name,
      cipher: 3,
      lanplus: 1,
    }
    const wrong = { password: 'wrong' }
    return {
      theirs: { ...theirs, password: admin.password, power_wait: 0 },
      ours: device,
      wrong: { theirs: wrong, ours: wrong },
      power: bmc.power,
      setPower: bmc.setPower,
      ignore: () => bmc.setMode('ignore'),
    }
  },
})

for (const kind of ['qemu', 'lxc'] as const) {
  same(` (${kind})`, 'fence_pve', 'fence_picket_proxmox', {
    skip: missing('fence_pve'),
    async start(t) {
      const double = await startProxmox(t)
      const guest = double.add(100, kind, 'pve1', { name: 'db1' })
      const { vmid: _, ...box } = optionsOf(double)
      const theirs = { ip: '127.0.0.1', ipport: double.hosts.get('pve1')!.port, ssl_insecure: 1 }
      const login = { username: root.id, password: root.secret, vmtype: kind, pve_node_auto: 1 }
      return {
        theirs: { ...theirs, ...login, plug: 100, power_timeout: 10 },
        ours: { ...(box as Values), plug: 100 },
        wrong: { theirs: { password: 'wrong' }, ours: { token_secret: `${token.secret}-wrong` } },
        power: () => guest.power,
        setPower(power) {
          double.put(guest, power)
          double.refresh()
        },
        ignore: () => {
          double.mood.ignores = true
        },
      }
    },
  })
}

for (const profile of [idrac, ilo]) {
  same(` (${profile.vendor})`, 'fence_redfish', 'fence_picket_redfish', {
    skip: missing('fence_redfish'),
    async start(t) {
      const double = await redfishDouble(profile)
      t.after(() => double.close())
      const { host, port } = double.transport
      const login = { username: operator.user, password: operator.password }
      const wrong = { password: 'wrong' }
      return {
        theirs: { ip: host, ipport: port, ssl_insecure: 1, ...login },
        ours: { ...(optionsFor(double) as Values) },
        wrong: { theirs: wrong, ours: wrong },
        power: () => double.power(),
        setPower: (power) => double.setPower(power),
        ignore: () => {
          double.quirks.fault = 'ignored'
        },
      }
    },
  })
}
