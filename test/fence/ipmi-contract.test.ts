/**
 * The native way of the `ipmi` driver keeps the contract: the real `ipmi_sim`, behind a network that
 * loses, cuts, spoils, delays and doubles packets.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { ipmi } from '../../src/fence/drivers/ipmi.ts'
import { contract, type Fault, type Stand } from './contract.ts'
import { type BadNetwork, pass, type Rule, startBadNetwork } from './ipmi-network.ts'
import { admin, type Bmc, type BmcOptions, guid, noBmc, startBmc } from './ipmi-sim.ts'

const stranger: BmcOptions = { guid: 'ffee0000000000000000000000000001' }
const impostor: BmcOptions = { users: [{ ...admin, password: 'something-else' }] }

/** What the network does to packets; the rest it cannot do to datagrams. */
const network: Partial<Record<Fault, Rule>> = {
  hang: ({ packet, to }) => (to === 'client' ? [packet] : []),
  'drop in mid-answer': ({ packet, to }) => [
    to === 'bmc' ? packet : packet.subarray(0, packet.length / 2),
  ],
  'wrong JSON': ({ packet, to, index }) => [to === 'bmc' ? packet : spoiled(packet, index)],
  async 'slow drip'({ packet, to }) {
    if (to === 'client') await sleep(1_000)
    return [packet]
  },
}

const chassis = { ignored: 'ignore', late: { lateMs: 300 }, 'comes back on': 'relapse' } as const

/** One bit of it is another one. */
function spoiled(packet: Buffer, at: number): Buffer {
  const copy = Buffer.from(packet)
  const index = 4 + (at % (copy.length - 4))
  copy[index] = copy.readUInt8(index) ^ 0x10
  return copy
}

async function start(): Promise<Stand> {
  const bmc = await startBmc()
  const proxy = await startBadNetwork(bmc.port)
  const others = new Map<BmcOptions, Bmc>()

  /** From that request on, another BMC has the address. */
  const swapFor = async (options: BmcOptions): Promise<void> => {
    const other = others.get(options) ?? (await startBmc(options))
    others.set(options, other)
    proxy.bmcPort = other.port
  }
  const onceFrom = (first: number, begin: () => Promise<void>): Rule => {
    let begun: Promise<void> | undefined
    return async ({ packet, request }) => {
      if (request >= first) begun ??= begin()
      await begun
      return [packet]
    }
  }
  return {
    options: {
      host: '127.0.0.1',
      port: proxy.port,
      user: admin.name,
      password: admin.password,
      cipher: 3,
    },
    secrets: [admin.password],
    identity: guid,
    power: bmc.power,
    setPower: bmc.setPower,
    between: ['', 'off', '2', '-1', 'x', '0x', 'standby'],
    setBetween: bmc.setRaw,
    fail(fault, from) {
      const first = proxy.requests() + from
      const rule = network[fault]
      if (rule !== undefined) proxy.rule = (p) => (p.request < first ? [p.packet] : rule(p))
      else if (fault === 'reset') proxy.rule = severed(proxy, first)
      else if (fault === 'another identity') proxy.rule = onceFrom(first, () => swapFor(stranger))
      else if (fault === 'impostor certificate') {
        proxy.rule = onceFrom(first, () => swapFor(impostor))
      } else if (fault in chassis) bmc.setMode(chassis[fault as keyof typeof chassis])
      else return false
      return true
    },
    mend() {
      proxy.rule = pass
      proxy.bmcPort = bmc.port
      bmc.setMode('obey')
      void proxy.listen()
    },
    requests: proxy.requests,
    overheard: () => Buffer.concat(proxy.sent).toString('latin1'),
    async close() {
      await proxy.close()
      for (const each of [bmc, ...others.values()]) await each.stop()
    },
  }
}

/** The BMC hears the request; its answer is lost, and then nobody listens any more. */
function severed(proxy: BadNetwork, first: number): Rule {
  return ({ packet, to, request }) => {
    if (request < first) return [packet]
    if (to === 'client') return []
    void proxy.refuse()
    return [packet]
  }
}

contract(ipmi, start, noBmc)
