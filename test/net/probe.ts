/** Runs one probe in the namespace that it is started in, and prints the answer as JSON. */
import { hush } from '../../src/net/hush.ts'
import { addAddress, findHolders, readInterfaces, removeAddress } from '../../src/net/interfaces.ts'
import { announce, inUse } from '../../src/net/neighbour.ts'

const never = new AbortController().signal
const aborted = AbortSignal.abort()

const calls: Readonly<Record<string, (...args: never[]) => unknown>> = {
  announce,
  hush,
  inUse,
  findHolders,
  readInterfaces,
  addAddress: (...[name, address]: Parameters<typeof addAddress>) =>
    addAddress(name, address, never),
  removeAddress: (...[holder]: Parameters<typeof removeAddress>) => removeAddress(holder, never),
  addAddressAborted: (...[name, address]: Parameters<typeof addAddress>) =>
    addAddress(name, address, aborted),
  removeAddressAborted: (...[holder]: Parameters<typeof removeAddress>) =>
    removeAddress(holder, aborted),
  /** How often it was found, and how often it was missed. */
  async findOften(address: Parameters<typeof findHolders>[0], times: number) {
    const counts = [0, 0]
    for (let time = 0; time < times; time++) {
      const found = (await findHolders(address)).length > 0
      counts[found ? 0 : 1]! += 1
    }
    return counts
  },
  /** How often the event loop came round while a probe ran. */
  async ticksDuringHush(addresses: string[], windowMs: number) {
    let ticks = 0
    const ticking = setInterval(() => {
      ticks += 1
    }, 5)
    await hush(addresses, windowMs)
    clearInterval(ticking)
    return ticks
  },
}

const [name = '', args = '[]'] = process.argv.slice(2)
try {
  const value = await calls[name]?.(...(JSON.parse(args) as never[]))
  process.stdout.write(JSON.stringify({ value: value ?? null }))
} catch (error) {
  process.stdout.write(JSON.stringify({ error: String(error) }))
}
