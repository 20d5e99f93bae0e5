/** Runs one probe in the namespace that it is started in, and prints the answer as JSON. */
import { hush } from '../../src/net/hush.ts'
import { announce, inUse } from '../../src/net/neighbour.ts'

const calls: Readonly<Record<string, (...args: never[]) => unknown>> = {
  announce,
  hush,
  inUse,
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
