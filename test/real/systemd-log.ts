/**
 * Starts a unit that fails, on a machine of its own whose journal `journalctl` finds here, and
 * prints what is told of it. To be run in a mount namespace of its own. Argument: state directory.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { openResources } from '../../src/resources/runner.ts'
import { startSystemdHost } from './systemd-host.ts'

const [, , stateDir = ''] = process.argv
const host = await startSystemdHost()
try {
  // It waits, since journald lets nobody hurry it whom it cannot see.
  const script = 'seq 100; echo no such table; sleep 1; exit 3'
  const lines = [`ExecStart=/bin/sh -c "${script}"`, 'Type=oneshot']
  host.unit('fails.service', `[Service]\n${lines.join('\n')}\nRemainAfterExit=yes\n`)
  for (const [at, from] of Object.entries(host.shared)) {
    if (at.startsWith('/run/')) mkdirSync(at, { recursive: true })
    spawnSync('mount', ['--bind', from, at])
  }
  process.env.DBUS_SYSTEM_BUS_ADDRESS = host.systemBus
  const resources = await openResources({
    stateDir,
    resources: [{ id: 'web', type: 'systemd', options: { unit: 'fails' } }],
    say: () => {},
  })
  await resources.sweep()
  console.log((await resources.run(1, 'web', 'start', 10_000)).detail)
  await resources.close()
} finally {
  await host.stop()
}
