/**
 * fence_picket_verify, the second device of a level: it presses nothing. Its off is the very proof
 * of the engine, with devices whose buttons are taken out: the power is read as off twice in a row,
 * and every address of the node is silent.
 */
import { orderAlone } from '../daemon/alone.ts'
import { secretsIn } from '../daemon/devices.ts'
import { recordsInMemory } from '../daemon/records.ts'
import { createNet } from '../foreign/mask.ts'
import { hush } from '../net/hush.ts'
import type { Call } from './call.ts'
import { powerOf, type Seen, whyBroken } from './look.ts'
import { CallError, keepDelay, openSite, type Site } from './site.ts'
import { blankSight, watched } from './watched.ts'
import { failureLine, oneLine } from './words.ts'

type Tell = (text: string) => void

/** How long every address is listened to where a person or a monitor asks. */
const windowMs = 400

export async function verifyWith(call: Call, tell: Tell): Promise<Seen> {
  // Nothing was taken away here that could be given back.
  if (call.action === 'on') return { code: 0, out: 'Success: nothing to be done' }
  const site = await openSite(call)
  for (const target of site.targets) addressesOf(site, target)
  switch (call.action) {
    case 'off':
      await keepDelay(call)
      return await allOff(site, call, tell)
    case 'status':
      return await show(site)
    case 'monitor':
      return await monitor(site)
    default:
      return { code: 0 }
  }
}

/** What has to be silent. Throws a CallError where nothing could be. */
function addressesOf({ loaded }: Site, target: string): readonly string[] {
  const addresses = loaded.core.nodes.find(({ id }) => id === target)?.addresses ?? []
  if (addresses.length > 0) return addresses
  throw new CallError(`${target} has no addresses that could be silent; list its addresses`)
}

async function allOff(site: Site, call: Call, tell: Tell): Promise<Seen> {
  const all = await Promise.all(site.targets.map((target) => whyNotOff(site, call, target, tell)))
  const failed = all.flatMap((why) => why ?? [])
  if (failed.length > 0) return { code: 1, err: oneLine(failed.join('; ')) }
  return { code: 0, out: 'Success: Verified OFF' }
}

/** Why a node is not proven off; `undefined` where it is. */
async function whyNotOff(
  site: Site,
  call: Call,
  target: string,
  tell: Tell,
): Promise<string | undefined> {
  const { core, devices } = site.loaded
  const sight = blankSight()
  const looked = { sight, waitMs: 0, pressless: true }
  const nodes = core.nodes.map((node) => ({
    ...node,
    levels: node.levels.map((level) => ({ ...level, verify: true })),
  }))
  const ended = await orderAlone({
    config: { ...core, nodes },
    devices: [...devices.values()].map((device) => watched(device, looked)),
    stateDir: recordsInMemory(),
    ...{ action: 'off', target, requester: call.agent, reason: `verified by ${call.agent}` },
    progress: tell,
    clean: createNet(secretsIn(devices.values())),
    stop: new AbortController().signal,
  })
  if (ended?.at !== 'done') return failureLine(sight.failure, ended?.because ?? 'it was stopped')
  // A level that was not needed for it may know better.
  const { readings } = await powerOf(site, target)
  const on = readings.find(({ power }) => power === 'on')
  return on && failureLine(undefined, `${on.device} reads on`)
}

/** For people: the power, and who answers on which network. Safe at any time. */
async function show(site: Site): Promise<Seen> {
  const lines: string[] = []
  const powers = await Promise.all(site.targets.map((target) => powerOf(site, target)))
  for (const [at, target] of site.targets.entries()) {
    const found = powers[at]
    if (found === undefined) continue
    lines.push(`${target}: power ${found.power} (${found.because})`)
    lines.push(...(await networkLines(site, target)))
  }
  const lost = powers.find(({ power }) => power === 'unknown')
  if (lost !== undefined) return { code: 1, out: lines.join('\n'), err: lost.line }
  const on = powers.some(({ power }) => power === 'on')
  return { code: on ? 0 : 2, out: [...lines, `Status: ${on ? 'ON' : 'OFF'}`].join('\n') }
}

async function networkLines(site: Site, target: string): Promise<readonly string[]> {
  const all = addressesOf(site, target)
  const heard = await hush(all, windowMs)
  const node = site.loaded.details.config.cluster.nodes.find(({ name }) => name === target)
  const networks = Object.entries(node?.addresses ?? {})
  return all.map((address) => {
    const network =
      networks.find(([, listed]) => [listed].flat().includes(address))?.[0] ?? 'cluster'
    const deaf = heard.unprobed.find((each) => each.address === address)
    const answers = heard.answered.includes(address) ? 'answers' : 'silent'
    const found = deaf === undefined ? answers : `cannot be asked, ${deaf.because}`
    return `  network ${network}, ${address}: ${found}`
  })
}

/** Can the power be read, and any address be asked? */
async function monitor(site: Site): Promise<Seen> {
  const all = await Promise.all(
    site.targets.map(async (target) => {
      const broken = await whyBroken(site, target)
      if (broken !== undefined) return broken
      const addresses = addressesOf(site, target)
      const { unprobed } = await hush(addresses, windowMs)
      const [first] = unprobed
      if (first === undefined || unprobed.length < addresses.length) return undefined
      return failureLine(undefined, `no address of ${target} can be asked: ${first.because}`)
    }),
  )
  const failed = all.flatMap((why) => why ?? [])
  return failed.length === 0 ? { code: 0 } : { code: 1, err: oneLine(failed.join('; ')) }
}
