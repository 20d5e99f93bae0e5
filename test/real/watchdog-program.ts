/**
 * What runs in the guest of watchdog.test.ts: arms its watchdog, lets it go, waits for longer than
 * its timeout, arms it again, and then blocks its own loop for good.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Armed, openWatchdog } from '../../src/watchdog/watchdog.ts'

const nowMs = () => Number(process.hrtime.bigint() / 1_000_000n)
const uptimeS = () => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])
const say = (text: string, atS = uptimeS()) => process.stdout.write(`${text} ${atS}\n`)

const watchdog = openWatchdog({
  path: '/dev/watchdog',
  timeoutMs: 4_000,
  timeoutMaxMs: 8_000,
  required: false,
  say: (_, text) => say(`REMARK ${text}`),
})

// The thread alone keeps no process alive.
setInterval(() => {}, 60_000)

async function arm(forMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<Armed>()
  say('UNTIL', uptimeS() + forMs / 1_000)
  watchdog.arm(nowMs() + forMs, resolve)
  const { ok, timeoutMs, detail } = await promise
  if (!ok) say(`FAILED ${detail} at`)
  say(`ARMED ${ok} ${timeoutMs} ${detail} at`)
}

await arm(60_000)
watchdog.disarm()
await watchdog.settled()
say('LET-GO')
await sleep(8_000)
await arm(40_000)
say('BLOCKED')
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
