/** What `ip` says about links and addresses, and how it is told to change an address. */
import { z } from 'zod'
import { type Address, canonicalAddress } from './address.ts'
import type { OperationScope } from './resource.ts'

export interface Link {
  readonly name: string
  readonly index: number
  /** Switched on, and something at the other end of the cable. */
  readonly up: boolean
  /** Answers ARP and neighbour solicitations, so that asking makes sense. */
  readonly resolves: boolean
  readonly loopback: boolean
  readonly addresses: readonly HeldAddress[]
}

export interface HeldAddress extends Address {
  /** The kernel found somebody else with it and does not use it. */
  readonly duplicate: boolean
}

/** Much more than a machine with a thousand links prints. */
const OUTPUT_MAX_BYTES = 8 << 20

/** A filter leaves `{}` behind in the place of every address that it takes out. */
const IpAddress = z.object({
  family: z.string().optional(),
  local: z.string().optional(),
  prefixlen: z.number().int().optional(),
  dadfailed: z.boolean().optional(),
})

const IpLink = z.object({
  ifname: z.string(),
  ifindex: z.number().int(),
  flags: z.array(z.string()),
  addr_info: z.array(IpAddress).default([]),
})

/** Every link with its addresses, or only the links that hold one address. */
export async function readLinks(scope: OperationScope, only?: Address): Promise<readonly Link[]> {
  const filter = only === undefined ? [] : ['to', `${only.text}/${only.family === 4 ? 32 : 128}`]
  const argv = ['ip', '-j', 'addr', 'show', ...filter]
  const end = await scope.run({ argv, urgent: true, stdoutMaxBytes: OUTPUT_MAX_BYTES })
  if (end.code !== 0) throw new Error(failure(argv, end))
  const parsed = z.array(z.unknown()).safeParse(parseJson(end.stdout))
  if (!parsed.success) throw new Error('`ip -j addr` printed something that is no list of links')
  // Some releases print `{}` for a link that the filter leaves out.
  return parsed.data.filter((entry) => !isEmpty(entry)).map(toLink)
}

/** Adds an address. An address that is there already is no error. */
export async function addAddress(scope: OperationScope, link: string, address: Address) {
  const v6 = address.family === 6
  // The caller has asked whether it is in use: the kernel's own wait of a second would add nothing.
  // A lone address is never chosen as the source of what this node sends: it may leave any moment.
  const flags = [
    ...(v6 ? ['nodad'] : []),
    ...(v6 && address.prefix === 128 ? ['preferred_lft', '0'] : []),
  ]
  const argv = ['ip', 'addr', 'add', `${address.text}/${address.prefix}`, 'dev', link, ...flags]
  const end = await scope.run({ argv, urgent: true })
  if (end.code !== 0 && !/File exists|already assigned/.test(end.output)) {
    throw new Error(failure(argv, end))
  }
}

/** Removes an address. An address that is gone already is no error. */
export async function deleteAddress(scope: OperationScope, link: string, address: Address) {
  const argv = ['ip', 'addr', 'del', `${address.text}/${address.prefix}`, 'dev', link]
  const end = await scope.run({ argv, urgent: true })
  const gone = /Cannot assign requested address|Cannot find device/.test(end.output)
  if (end.code !== 0 && !gone) throw new Error(failure(argv, end))
}

function toLink(entry: unknown): Link {
  const parsed = IpLink.safeParse(entry)
  if (!parsed.success) throw new Error('`ip -j addr` printed a link that cannot be understood')
  const { ifname, ifindex, flags, addr_info } = parsed.data
  return {
    name: ifname,
    index: ifindex,
    up: flags.includes('UP') && flags.includes('LOWER_UP'),
    resolves: !flags.includes('NOARP') && !flags.includes('LOOPBACK'),
    loopback: flags.includes('LOOPBACK'),
    addresses: addr_info.flatMap(({ family, local, prefixlen, dadfailed = false }) => {
      if (local === undefined || prefixlen === undefined) return []
      if (family !== 'inet' && family !== 'inet6') return []
      const text = canonicalAddress(local)
      const held = { text, family: family === 'inet' ? 4 : 6, prefix: prefixlen } as const
      return [{ ...held, duplicate: dadfailed }]
    }),
  }
}

function failure(argv: readonly string[], end: { output: string; notRun: string | undefined }) {
  const because = end.notRun === 'missing' ? 'there is no `ip` here; install iproute2' : end.output
  return `\`${argv.join(' ')}\` failed: ${because || 'it was killed'}`
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isEmpty(entry: unknown): boolean {
  return typeof entry === 'object' && entry !== null && Object.keys(entry).length === 0
}
