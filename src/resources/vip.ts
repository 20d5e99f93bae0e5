/**
 * A virtual address, IPv4 or IPv6: on one node's interface at a time, announced to the neighbours
 * when it arrives.
 *
 * Before it is added the wire is asked whether somebody else answers for it. `prepare` asks early
 * and keeps asking while a fence or a handover is under way, so that a start has little left to
 * wait for. The question is a courtesy to strangers; what keeps two nodes of ours apart is fencing,
 * and that a start waits until the other one has reported it stopped.
 *
 * @source RFC 5227 (IPv4 address conflict detection), RFC 4861 section 7.2.6 (unsolicited neighbour
 * advertisements).
 */
import { writeFileSync } from 'node:fs'
import { z } from 'zod'
import {
  type Addressed,
  addAddress,
  findHolders,
  type Interface,
  readInterfaces,
  removeAddress,
} from '../net/interfaces.ts'
import { announce, inUse } from '../net/neighbour.ts'
import { type Address, contains, parseAddress } from './address.ts'
import { defineResourceType, type OperationContext, type Ran } from './resource.ts'

/** How long an answer is waited for. */
const WINDOW_MS = 100
/**
 * The same of somebody who has answered a moment ago, and is about to give the address up: whoever
 * is there answers within a few milliseconds, and no stranger has answered beside it.
 */
const HANDOVER_WINDOW_MS = 30
/** How long a silence that `prepare` has heard counts. */
const FRESH_MS = 3000
/** Gaps between two questions of `prepare`; short while somebody still answers. */
const REFRESH_MS = 2000
const REFRESH_IN_USE_MS = 50
/** How long a start waits for another holder to fall silent. */
const CONFLICT_BOUND_MS = 1000
/** Monitors in a row that must find the link down before the address is given up: links flap. */
const DOWN_MONITORS = 3
/** Gaps between announcements: a neighbour that missed one hears the next. */
const ANNOUNCE_GAPS_MS = [0, 100, 500]
const ANNOUNCE_GAP_MAX_MS = 1000

const schema = z.strictObject({
  address: z
    .string()
    .max(64)
    .transform((text, context): Address => {
      try {
        return parseAddress(text)
      } catch (error) {
        const message = `${text} ${(error as Error).message}`
        context.issues.push({ code: 'custom', message, input: text })
        return z.NEVER
      }
    })
    .meta({
      title: 'IPv4 or IPv6 address, with a prefix like /24 where it needs its own network',
      // As far as an editor can tell.
      pattern: '^[0-9A-Fa-f:.]+(/[0-9]+)?$',
      patternErrorMessage: 'write an IP address, with or without a prefix like /24',
    }),
  interface: z
    .string()
    .regex(/^[^\s/:-][^\s/:]{0,14}$/)
    .optional()
    .meta({ title: 'Interface that holds it; by default the one whose network contains it' }),
  announce: z
    .number()
    .int()
    .min(1)
    .max(60)
    .default(5)
    .meta({ title: 'How many times the neighbours are told' }),
})

type Options = z.output<typeof schema>

/** What `prepare` heard last. */
interface Prepared {
  readonly atMs: number
  readonly link: Interface
  /** Who answered; `undefined` where nobody did. */
  readonly holder: string | undefined
}

interface Memory {
  /** The newest question of `prepare`: an answer, or one that is still listened for. */
  prepared: Promise<Prepared | undefined> | undefined
  /** Monitors in a row that found the link down. */
  down: number
  announcing: AbortController | undefined
  /** Who else answers for the address, so that it is said once. */
  rival: string | undefined
}

type Context = OperationContext<Memory>

/** A virtual address. */
export const vip = defineResourceType({
  name: 'vip',
  title: 'Virtual IP address',
  options: schema,
  leavesProcesses: false,
  memory: (): Memory => ({
    ...{ prepared: undefined, down: 0, announcing: undefined, rival: undefined },
  }),

  thing: ({ address }) => `address ${address.text}`,
  whyNoClone: () => 'an address must never be on two nodes at once',

  async probe({ address }) {
    const [holder] = await findHolders(address)
    if (holder === undefined) return { outcome: 'stopped', detail: 'no interface here holds it' }
    return { outcome: 'running', detail: `${holder.link.name} holds it` }
  },

  async start(options, context) {
    const { address } = options
    const target = (await takePrepared(options, context)) ?? (await findTarget(options, context))
    if ('outcome' in target) return target
    const { link, because } = target
    if (address.family === 4 && address.prefix < 32) keepSecondaries(link, context)
    await addAddress(link, address, context.signal)
    context.memory.down = 0
    announceInBackground(link, options, context)
    return { outcome: 'done', detail: `${link} holds it; ${because}` }
  },

  async stop({ address }, context) {
    context.memory.announcing?.abort()
    context.memory.prepared = undefined
    const held = await findHolders(address)
    for (const holder of held) {
      const { link, as } = holder
      if (as.family === 4 && as.prefix < 32) keepSecondaries(link.name, context)
      await removeAddress(holder, context.signal)
    }
    if (held.length === 0) return { outcome: 'done', detail: 'no interface here held it' }
    // Whether it is gone is for the probe to say, which follows every stop.
    return { outcome: 'done', detail: `${held.map(({ link }) => link.name).join(', ')} gave it up` }
  },

  monitor,
  prepare,
})

async function monitor(options: Options, context: Context): Promise<Ran> {
  const { memory } = context
  const held = await findHolders(options.address)
  const right = held.find(
    ({ link }) => options.interface === undefined || link.name === options.interface,
  )
  if (right === undefined) {
    const [wrong] = held
    if (wrong === undefined) return { outcome: 'stopped', detail: 'no interface here holds it' }
    const detail = `${wrong.link.name} holds it instead of ${options.interface}`
    return { outcome: 'failed', detail }
  }
  const { link, as } = right
  if (as.duplicate) {
    return { outcome: 'failed', detail: `${link.name} found another holder and does not use it` }
  }
  // A link that comes and goes pays its debt one monitor at a time, so that flapping moves nothing.
  memory.down = link.up ? Math.max(0, memory.down - 1) : memory.down + 1
  if (!link.up) {
    const count = `monitor ${memory.down} of ${DOWN_MONITORS}`
    const detail = `${link.name} holds it and has no link (${count})`
    return { outcome: memory.down >= DOWN_MONITORS ? 'failed' : 'running', detail }
  }
  await listenForRival(link, options, context)
  return { outcome: 'running', detail: `${link.name} holds it` }
}

/** A second holder is not ours to judge, but nobody else would notice it (H15). */
async function listenForRival(link: Interface, { address }: Options, { memory, say }: Context) {
  if (!link.resolves || link.loopback) return
  const heard = await inUse(link.name, address.text, WINDOW_MS).catch(() => undefined)
  const rival = heard?.inUse ? (heard.mac ?? 'an unknown machine') : undefined
  if (rival !== undefined && rival !== memory.rival) {
    say('warn', `${rival} answers for ${address.text}, which ${link.name} holds here`)
  }
  memory.rival = rival
}

/** Keeps asking whether the address is free, so that a start may believe the last answer. */
async function prepare(options: Options, context: Context): Promise<void> {
  const { memory, signal } = context
  for (let last: Prepared | undefined; !signal.aborted; ) {
    const links = await readInterfaces(options.address.family)
    if (signal.aborted || holderOf(links, options.address) !== undefined) return
    const asking = question(chooseLink(links, options), last, options, context)
    // A silence counts until it is too old; for any other answer a start rather waits for the next.
    if (last === undefined || last.holder !== undefined) memory.prepared = asking
    last = await asking
    if (signal.aborted) return
    memory.prepared = asking
    await pause(last?.holder === undefined ? REFRESH_MS : REFRESH_IN_USE_MS, signal)
  }
}

/** Asks once, and briefly who has answered a moment ago. `undefined`: there is no link. */
async function question(
  link: Interface,
  last: Prepared | undefined,
  options: Options,
  context: Context,
): Promise<Prepared | undefined> {
  if (!link.up) return undefined
  const handover = last?.holder !== undefined && last.link.index === link.index
  const heard = await ask(link, options, context, handover ? HANDOVER_WINDOW_MS : WINDOW_MS)
  const holder = heard.inUse ? (heard.mac ?? 'somebody') : undefined
  return { atMs: context.nowMs(), link, holder }
}

interface Target {
  readonly link: string
  readonly because: string
}

/** Where it goes by what `prepare` has heard; `undefined` where that is not enough. */
async function takePrepared(options: Options, context: Context): Promise<Target | undefined> {
  const { memory, nowMs } = context
  const asked = memory.prepared
  memory.prepared = undefined
  const prepared = await asked
  if (prepared === undefined) return undefined
  const ageMs = Math.round(nowMs() - prepared.atMs)
  if (ageMs > FRESH_MS) return undefined
  const { link, holder } = prepared
  if (holder === undefined) {
    return { link: link.name, because: `no other machine answered for it ${ageMs} ms before` }
  }
  const heard = await ask(link, options, context, HANDOVER_WINDOW_MS)
  if (heard.inUse) return undefined
  return { link: link.name, because: `${holder}, which had it ${ageMs} ms before, is silent` }
}

/** Where it goes, once nobody answers for it any more; or why it goes nowhere. */
async function findTarget(options: Options, context: Context): Promise<Target | Ran> {
  const { address } = options
  const links = await readInterfaces(address.family)
  const link = chooseLink(links, options)
  const holder = holderOf(links, address)
  if (holder?.name === link.name) return { link: link.name, because: 'it was there already' }
  if (holder !== undefined) {
    const detail = `${holder.name} holds it, where ${link.name} should; stop it first`
    return { outcome: 'failed', detail }
  }
  if (!link.up) return { outcome: 'failed', detail: `${link.name} has no link here` }
  const untilMs = Math.min(context.nowMs() + CONFLICT_BOUND_MS, context.deadlineMs - WINDOW_MS)
  for (let rival: string | undefined; ; ) {
    const heard = await ask(link, options, context)
    if (!heard.inUse) {
      const since = rival === undefined ? '' : `, since ${rival} fell silent`
      return { link: link.name, because: `${heard.because}${since}` }
    }
    rival = heard.mac ?? 'somebody'
    if (context.signal.aborted || context.nowMs() > untilMs) {
      const detail = `${address.text} is answered by ${rival}; is another machine using it?`
      return { outcome: 'failed', detail }
    }
  }
}

/**
 * Asks the wire once. Where it cannot be asked, the address is taken for free, and that is said.
 */
async function ask(link: Interface, { address }: Options, { say }: Context, windowMs = WINDOW_MS) {
  if (!link.resolves) return { inUse: false, because: `${link.name} has no neighbours to ask` }
  try {
    const heard = await inUse(link.name, address.text, windowMs)
    return { ...heard, because: 'no other machine answers for it' }
  } catch (error) {
    const because = `whether it is in use could not be asked: ${(error as Error).message}`
    say('warn', because)
    return { inUse: false, because }
  }
}

function chooseLink(links: readonly Addressed[], options: Options): Interface {
  const { address, interface: name } = options
  if (name !== undefined) {
    const named = links.find((link) => link.name === name)
    if (named === undefined) throw new Error(`there is no interface ${name} on this node`)
    return named
  }
  const fits = links
    .filter(({ loopback }) => !loopback)
    .flatMap((link) => link.addresses.map((network) => ({ link, network })))
    // A link-local network is on every interface: it says nothing about where an address belongs.
    .filter(({ network }) => !network.text.startsWith('fe80:') && network.text !== address.text)
    .filter(({ network }) => contains(network, address))
    .sort((a, b) => b.network.prefix - a.network.prefix || Number(b.link.up) - Number(a.link.up))
  const [best] = fits
  if (best === undefined) {
    throw new Error(
      `no interface here has a network that contains ${address.text}; name one with \`interface\``,
    )
  }
  return best.link
}

function holderOf(links: readonly Addressed[], { text }: Address): Interface | undefined {
  return links.find(({ addresses }) => addresses.some((held) => held.text === text))
}

/**
 * An address with a network of its own can be the first of that network, and the kernel removes the
 * others together with the first one unless it is told to promote them.
 */
function keepSecondaries(link: string, { say }: Context): void {
  try {
    // The kernel takes it at once: nothing here can wait.
    writeFileSync(`/proc/sys/net/ipv4/conf/${link}/promote_secondaries`, '1')
  } catch (error) {
    say('warn', `promote_secondaries of ${link} cannot be set: ${(error as Error).message}`)
  }
}

/** Tells the neighbours. Nobody waits for it; a stop ends it before the address is given up. */
function announceInBackground(link: string, options: Options, { memory, say }: Context): void {
  memory.announcing?.abort()
  const controller = new AbortController()
  memory.announcing = controller
  const run = async () => {
    for (let told = 0; told < options.announce; told++) {
      await pause(ANNOUNCE_GAPS_MS[told] ?? ANNOUNCE_GAP_MAX_MS, controller.signal)
      if (controller.signal.aborted) return
      await announce(link, options.address.text)
    }
  }
  run().catch((error: unknown) => {
    say('warn', `the neighbours of ${link} cannot be told: ${(error as Error).message}`)
  })
}

/** Waits, or returns early when it is not needed any more. */
function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  if (delayMs === 0 || signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(finish, delayMs)
    timer.unref()
    function finish() {
      clearTimeout(timer)
      signal.removeEventListener('abort', finish)
      resolve()
    }
    signal.addEventListener('abort', finish)
  })
}
