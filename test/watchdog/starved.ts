/** A process with a watchdog whose threads of libuv are all stuck in files that never open. */
import { execFileSync } from 'node:child_process'
import { open } from 'node:fs'
import { dirname, join } from 'node:path'
import { openWatchdog } from '../../src/watchdog/watchdog.ts'

const path = process.argv[2]!
for (let i = 0; i < 4; i++) {
  const fifo = join(dirname(path), `fifo${i}`)
  execFileSync('mkfifo', [fifo])
  open(fifo, 'r', () => {})
}
const watchdog = openWatchdog({
  path,
  timeoutMs: 2_000,
  timeoutMaxMs: 10_000,
  required: false,
  say: () => {},
  thread: new URL('./double.ts', import.meta.url),
})
const farMs = Number(process.hrtime.bigint() / 1_000_000n) + 60_000
watchdog.arm(farMs, ({ ok }) => {
  // Nothing here but a write that waits for nobody; and then the loop does nothing any more.
  process.stdout.write(ok ? 'armed\n' : 'not armed\n', () => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  })
})
