/** The interfaces of this machine and their addresses: read from the kernel, and changed there. */
import { type Kernel, KernelError, openKernel, sound } from './kernel.ts'
import { type Message, NLM_F_CREATE, NLM_F_EXCL } from './netlink.ts'
import {
  addressesQuery,
  type Family,
  type HeldAddress,
  type Interface,
  type IpAddress,
  linksQuery,
  newAddress,
  oldAddress,
  RTM_DELADDR,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_NEWADDR,
  RTM_NEWLINK,
  readAddress,
  readLink,
} from './rtnetlink.ts'

export type { HeldAddress, Interface } from './rtnetlink.ts'

/** An interface with its addresses of one family. */
export interface Addressed extends Interface {
  readonly addresses: readonly HeldAddress[]
}

/** An interface that has a certain address. */
export interface Holder {
  readonly link: Interface
  readonly as: HeldAddress
}

/** Every interface with its addresses of one family. Rejects with a KernelError. */
export async function readInterfaces(family: Family): Promise<readonly Addressed[]> {
  return await withKernel((kernel) => {
    const addresses = readAddresses(kernel, family)
    // Later than the addresses: one whose interface is not there any more has gone with it.
    const what = 'the interfaces of this machine'
    return linksIn(what, kernel.read({ what, type: RTM_GETLINK, body: linksQuery() })).map(
      (link) => {
        const own = addresses.filter(({ index }) => index === link.index)
        return { ...link, addresses: own.map(({ held }) => held) }
      },
    )
  })
}

/** Every interface that has an address, with whatever prefix. Rejects with a KernelError. */
export async function findHolders({ text, family }: IpAddress): Promise<readonly Holder[]> {
  return await withKernel((kernel) =>
    readAddresses(kernel, family)
      .filter(({ held }) => held.text === text)
      .flatMap(({ index, held }) => {
        const link = linkOf(kernel, index)
        return link === undefined ? [] : [{ link, as: held }]
      }),
  )
}

/**
 * Adds an address; one that is there already is no error. Rejects with a KernelError, and when the
 * signal was aborted: nothing comes between that look and the deed.
 *
 * The caller has asked whether it is in use: the kernel's own wait of a second would add nothing. A
 * lone address of IPv6 is never chosen as the source of what this node sends: it may leave any
 * moment.
 */
export async function addAddress(
  name: string,
  address: IpAddress,
  signal: AbortSignal,
): Promise<void> {
  const how = { unasked: address.family === 6, deprecated: isLone(address) }
  await change(signal, (kernel) => {
    const what = `${address.text}/${address.prefix} cannot be added to ${name}`
    const [link] = linksIn(what, kernel.ask({ what, type: RTM_GETLINK, body: linksQuery(name) }))
    if (link === undefined) throw new KernelError(what, 'the interface cannot be found')
    const request = { what, type: RTM_NEWADDR, body: newAddress(link.index, address, how) }
    unless('EEXIST', () => kernel.ask(request, NLM_F_CREATE | NLM_F_EXCL))
  })
}

/**
 * Removes an address; one that is gone already is no error. Rejects as `addAddress` does.
 */
export async function removeAddress({ link, as }: Holder, signal: AbortSignal): Promise<void> {
  await change(signal, (kernel) => {
    const what = `${as.text}/${as.prefix} cannot be removed from ${link.name}`
    const request = { what, type: RTM_DELADDR, body: oldAddress(link.index, as) }
    unless('EADDRNOTAVAIL', () => unless('ENODEV', () => kernel.ask(request)))
  })
}

function isLone({ family, prefix }: IpAddress): boolean {
  return family === 6 && prefix === 128
}

async function withKernel<T>(work: (kernel: Kernel) => T): Promise<T> {
  const kernel = await openKernel()
  try {
    return work(kernel)
  } finally {
    kernel.close()
  }
}

async function change(signal: AbortSignal, work: (kernel: Kernel) => void): Promise<void> {
  await withKernel((kernel) => {
    if (signal.aborted) throw new Error('it was aborted in time')
    work(kernel)
  })
}

function readAddresses(kernel: Kernel, family: Family) {
  const what = `the IPv${family} addresses of this machine`
  const answer = kernel.read({ what, type: RTM_GETADDR, body: addressesQuery(family) })
  const found = answer.filter(({ type }) => type === RTM_NEWADDR)
  return sound(what, () => found.flatMap(({ body }) => readAddress(body) ?? []))
}

/** `undefined`: there is none of this number any more. */
function linkOf(kernel: Kernel, index: number): Interface | undefined {
  const what = `interface ${index}`
  const request = { what, type: RTM_GETLINK, body: linksQuery(index) }
  const [link] = linksIn(what, unless('ENODEV', () => kernel.ask(request)) ?? [])
  return link
}

function linksIn(what: string, answer: readonly Message[]): readonly Interface[] {
  const found = answer.filter(({ type }) => type === RTM_NEWLINK)
  return sound(what, () => found.map(({ body }) => readLink(body)))
}

/** What the work gives; `undefined` where it is refused with this code. */
function unless<T>(code: string, work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (error instanceof KernelError && error.code === code) return undefined
    throw error
  }
}
