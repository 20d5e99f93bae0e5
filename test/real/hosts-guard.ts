/**
 * What guard.service of hosts-boot.sh runs: arms a watchdog that is a file, and hands it over at
 * SIGHUP, as picketd does when it makes way for another one.
 */
import { openNotify } from '../../src/daemon/notify.ts'
import { forgetWords, readKept } from '../../src/watchdog/keeper.ts'
import { openWatchdog } from '../../src/watchdog/watchdog.ts'

const nowMs = () => Number(process.hrtime.bigint() / 1_000_000n)
const kept = readKept(process.env)
const notify = openNotify(process.env)
const watchdog = openWatchdog({
  path: process.argv[2]!,
  timeoutMs: 2_000,
  timeoutMaxMs: 10_000,
  required: false,
  ...kept,
  forget: () => void notify(...forgetWords),
  say: (_, text) => process.stderr.write(`${text}\n`),
  thread: new URL('../watchdog/double.ts', import.meta.url),
})

async function end(): Promise<never> {
  await watchdog.settled()
  process.exit(0)
}

process.on('SIGHUP', () => {
  watchdog.handOver(nowMs() + 60_000)
  void end()
})
process.on('SIGTERM', () => {
  watchdog.disarm()
  void end()
})
// The thread alone keeps no process alive.
setInterval(() => {}, 60_000)
watchdog.arm(nowMs() + 600_000, ({ ok }) => {
  if (ok) notify('READY=1')
})
