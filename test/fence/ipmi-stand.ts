/**
 * What the contract tries the `ipmi` driver on: the real `ipmi_sim`, behind a network that loses,
 * cuts, spoils, delays and doubles packets, or leads to a BMC that refuses everything.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Stand } from './contract.ts'
import type { Fault } from './faults.ts'
import { type Manners, startDouble } from './ipmi-double.ts'
import { type BadNetwork, pass, type Rule, startBadNetwork } from './ipmi-network.ts'
import { admin, type Bmc, type BmcOptions, guid, startBmc } from './ipmi-sim.ts'

const stranger: BmcOptions = { guid: 'ffee0000000000000000000000000001' }
const impostor: BmcOptions = { users: [{ ...admin, password: 'something-else' }] }

/** Puts this in the place of every answer. */
const answers =
  (change: (packet: Buffer) => Buffer): Rule =>
  ({ packet, to }) => [to === 'bmc' ? packet : change(packet)]

/** What the network does to packets. */
const network: Partial<Record<Fault, Rule>> = {
  hang: ({ packet, to }) => (to === 'client' ? [packet] : []),
  'drop in mid-answer': answers((packet) => packet.subarray(0, packet.length / 2)),
  'truncated JSON': answers((packet) => packet.subarray(0, -3)),
  'HTML login page': answers(() => Buffer.from('HTTP/1.1 200 OK\r\n\r\n<title>off</title>')),
  'huge answer': answers((packet) => Buffer.concat([packet, Buffer.alloc(60_000, packet)])),
  'wrong JSON': ({ packet, to, index }) => [to === 'bmc' ? packet : spoiled(packet, index)],
  async 'slow drip'({ packet, to }) {
    if (to === 'client') await sleep(1_000)
    return [packet]
  },
}

/** A BMC that lets nobody in, or answers every command on its chassis with a completion code. */
const refusals: Partial<Record<Fault, Manners>> = {
  401: { status: { rakp1: 0x0d } },
  403: refusing(0xd4),
  404: refusing(0xc1),
  409: refusing(0xd5),
  429: refusing(0xc0),
  500: refusing(0xff),
}

function refusing(code: number): Manners {
  return { say: ({ netFn }) => (netFn === 0 ? [code] : undefined) }
}

const chassis = { ignored: 'ignore', late: { lateMs: 300 }, 'comes back on': 'relapse' } as const

/** One bit of it is another one. */
function spoiled(packet: Buffer, at: number): Buffer {
  const copy = Buffer.from(packet)
  const index = 4 + (at % (copy.length - 4))
  copy[index] = copy.readUInt8(index) ^ 0x10
  return copy
}

export async function ipmiStand(via: 'native' | 'ipmitool'): Promise<Stand> {
  const bmc = await startBmc()
  const proxy = await startBadNetwork(bmc.port)
  const refuser = await startDouble({ suite: 3 })
  const others = new Map<BmcOptions, Bmc>()

  /** From that request on, another BMC has the address. */
  const swapFor = async (options: BmcOptions): Promise<void> => {
    const other = others.get(options) ?? (await startBmc(options))
    others.set(options, other)
    proxy.bmcPort = other.port
  }
  const refuse = async (manners: Manners): Promise<void> => {
    refuser.manners = { suite: 3, ...manners }
    proxy.bmcPort = refuser.port
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
    over: 'datagrams',
    // Ours may be lost on its way like any datagram; ipmitool repeats it as well.
    copies: 3,
    ...(via === 'ipmitool' && { trusted: 'ipmitool' }),
    options: {
      via,
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
      const [rule, manners] = [network[fault], refusals[fault]]
      if (rule !== undefined) proxy.rule = (p) => (p.request < first ? [p.packet] : rule(p))
      else if (fault === 'reset') proxy.rule = severed(proxy, first)
      else if (manners !== undefined) {
        // A session belongs to the BMC that has begun it: it is another one from the login on.
        proxy.rule = onceFrom(first - (from % 2), () => refuse(manners))
      } else if (fault === 'another identity') proxy.rule = onceFrom(first, () => swapFor(stranger))
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
    offs: () => bmc.commands().filter((command) => command === 'power 0').length,
    overheard: () => Buffer.concat(proxy.sent).toString('latin1'),
    async close() {
      await proxy.close()
      await refuser.close()
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
