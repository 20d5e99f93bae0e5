/** Listing the guests of Proxmox VE and of libvirt: the traps, and foreign clients on the doubles. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Target } from '../../src/fence/driver.ts'
import { agent } from '../../src/fence/drivers/agent.ts'
import { libvirt } from '../../src/fence/drivers/libvirt.ts'
import { proxmox } from '../../src/fence/drivers/proxmox.ts'
import { missing } from '../needs.ts'
import { lines, listed } from './listing.ts'
import { withPrograms } from './programs.ts'
import { type Account, root, token } from './proxmox-double.ts'
import { optionsOf, start } from './proxmox-stand.ts'

// proxmox

test('proxmox: guests that the token may not see are left out, templates too', async (t) => {
  const rights = { 'VM.PowerMgmt': 1, 'VM.Audit': 1 } as const
  const some: Account = { ...token, privileges: { 100: rights, 101: rights, all: {} } }
  const double = await start(t, [some])
  double.add(100, 'qemu', 'pve1', { name: 'db1' })
  double.add(101, 'qemu', 'pve1', { name: 'golden', power: 'off' })
  double.add(102, 'lxc', 'pve2', { name: 'secret' })
  double.quirks.template = 101
  double.refresh()
  assert.deepEqual(lines(await listed(proxmox, optionsOf(double))), ['100 db1 on'])
  double.quirks.hidden = true
  const none = await listed(proxmox, optionsOf(double))
  assert.match(String(none), /our user may not do this.*list of guests is empty.*VM\.Audit/)
})

test('proxmox: off only where nobody is about to start it, unknown where its node is gone', async (t) => {
  const double = await start(t)
  const states: readonly [number, object, string][] = [
    [100, { power: 'off' }, 'off'],
    [101, { power: 'off', lock: 'suspended' }, 'unknown'],
    [102, { power: 'off', lock: 'backup' }, 'off'],
    [103, { power: 'off', ha: 'started' }, 'unknown'],
    [104, { power: 'off', ha: 'stopped' }, 'off'],
    [105, { shownStatus: 'paused' }, 'unknown'],
    [106, { ha: 'started' }, 'on'],
  ]
  for (const [vmid, state] of states) double.add(vmid, 'qemu', 'pve1', { name: 'x', ...state })
  double.add(200, 'lxc', 'pve2', { name: 'x', power: 'off' })
  double.lose('pve2')
  double.refresh()
  assert.deepEqual(lines(await listed(proxmox, optionsOf(double))), [
    ...states.map(([vmid, , power]) => `${vmid} x ${power}`),
    '200 x unknown',
  ])
})

const noPve = missing('fence_pve')

test('proxmox: fence_pve lists the same, but for numbers that are numbers', {
  skip: noPve,
}, async (t) => {
  const double = await start(t)
  double.add(100, 'qemu', 'pve1', { name: 'db1' })
  double.add(101, 'qemu', 'pve2', { name: 'db2', power: 'off' })
  const options = {
    agent: 'fence_pve',
    options: {
      ip: '127.0.0.1',
      ipport: double.hosts.get('pve1')?.port ?? 0,
      username: root.id,
      ssl_insecure: true,
      vmtype: 'qemu',
      pve_node_auto: true,
    },
    secret_options: { password: root.secret },
  }
  // It joins numbers to text, and dies of it: a failure, and not a list.
  const crashed = String(await listed(agent, options))
  assert.match(crashed, /fence_pve ended with 1: TypeError/)
  double.quirks.textIds = true
  double.refresh()
  assert.deepEqual(lines(await listed(agent, options)), ['100 db1 unknown', '101 db2 unknown'])
  assert.deepEqual(lines(await listed(proxmox, optionsOf(double))), ['100 db1 on', '101 db2 off'])
})

// libvirt

const [first, second] = ['1', '2'].map((digit) => `6695eb01-f6a4-8304-79aa-97f2502e193${digit}`)

/** A virsh that knows these machines: UUID, name, state; a state of `gone` is an error. */
function virsh(...machines: readonly (readonly [string | undefined, string, string])[]): string {
  const list = machines.map(([uuid, name]) => `echo '${uuid} ${name}'`)
  const states = machines.map(([uuid, , state]) =>
    state === 'gone'
      ? `printf '=${uuid}='; echo 'error: failed to get domain' >&2`
      : `echo '=${uuid}=${state}'`,
  )
  const says = (each: readonly string[]): string => ['true', ...each].join('; ')
  return `case $4 in list*) ${says(list)} ;; echo*) ${says(states)} ;; *) exit 9 ;; esac`
}

const here = { uri: 'qemu:///system' }

test('libvirt: the states of the list are judged as strictly as any', async () => {
  const states: readonly [string, string][] = [
    ['running (booted)', 'on'],
    ['shut off (destroyed)', 'off'],
    ['shut off (saved)', 'unknown'],
    ['shut off (migrated)', 'unknown'],
    ['paused (user)', 'unknown'],
    ['shut off', 'unknown'],
  ]
  for (const [state, power] of states) {
    const found = await withPrograms({ virsh: virsh([first, 'web', state]) }, () =>
      listed(libvirt, here),
    )
    assert.deepEqual(lines(found), [`web web ${power}`], state)
  }
  const both = virsh([first, 'web', 'gone'], [second, 'db', 'running (booted)'])
  const found = await withPrograms({ virsh: both }, () => listed(libvirt, here))
  assert.deepEqual(lines(found), ['web web unknown', 'db db on'])
})

test('libvirt: a name that cannot stand in the config gives way to the UUID', async () => {
  const script = virsh(
    [first, 'web server', 'running (booted)'],
    [second, '7', 'shut off (shutdown)'],
  )
  const found = await withPrograms({ virsh: script }, () => listed(libvirt, here))
  assert.deepEqual(lines(found), [`${first} web server on`, `${second} 7 off`])
  for (const target of found) {
    const { plug } = target as Target
    assert.ok(libvirt.options.safeParse({ ...here, domain: plug }).success, plug)
  }
})

test('libvirt: one machine on two hypervisors is one, two of one name are two', async () => {
  const two = { uri: ['qemu+tls://a/system', 'qemu+tls://b/system'] }
  const at = (a: string, b: string): string => `case $3 in *//a/*) ${a} ;; *) ${b} ;; esac`
  const off = 'shut off (destroyed)'
  const cases: readonly [string, string, readonly string[]][] = [
    [
      virsh([first, 'web', 'shut off (migrated)']),
      virsh([first, 'web', 'running (migrated)']),
      ['web web on'],
    ],
    [virsh([first, 'web', off]), virsh([first, 'web', off]), ['web web off']],
    [virsh([first, 'web', off]), virsh([first, 'web', 'paused (user)']), ['web web unknown']],
    [
      virsh([first, 'web', off]),
      virsh([second, 'web', 'running (booted)']),
      [`${first} web off`, `${second} web on`],
    ],
    [virsh([first, 'web', off]), virsh(), ['web web off']],
  ]
  for (const [a, b, expected] of cases) {
    const found = await withPrograms({ virsh: at(a, b) }, () => listed(libvirt, two))
    assert.deepEqual(lines(found), expected)
  }
  const dead = 'echo "error: failed to connect to the hypervisor" >&2; exit 1'
  const found = await withPrograms({ virsh: at(virsh([first, 'web', off]), dead) }, () =>
    listed(libvirt, two),
  )
  assert.match(String(found), /cannot be reached.*qemu\+tls:\/\/b/)
})

test('libvirt: what is no list, and what is empty, is a sentence', async () => {
  const cases: readonly [string, RegExp][] = [
    ['echo "<html>"', /"<html>" is no UUID and name/],
    [virsh(), /its list is empty/],
    ['exit 1', /do not understand/],
    [
      `case $4 in list*) echo '${first} web' ;; *) echo 'error: keepalive timeout' >&2; exit 1 ;; esac`,
      /broke off/,
    ],
  ]
  for (const [script, expected] of cases) {
    assert.match(
      String(await withPrograms({ virsh: script }, () => listed(libvirt, here))),
      expected,
    )
  }
})

const noVirsh = missing('fence_virsh', 'virsh')

test('libvirt: fence_virsh lists the same machines, also through the driver agent', {
  skip: noVirsh,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'picket-list-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  // Stands for the far side: what ssh is to run there runs here, on libvirt's test hypervisor.
  const ssh = join(folder, 'ssh')
  const script =
    'export VIRSH_DEFAULT_CONNECT_URI=test:///default\nfor last; do :; done\nexec /bin/sh -c "$last"'
  writeFileSync(ssh, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  const foreign = {
    agent: 'fence_virsh',
    options: { ip: '127.0.0.1', username: 'x', ssh_path: ssh, identity_file: ssh },
  }
  const ours = await listed(libvirt, { uri: 'test:///default' })
  const theirs = await listed(agent, foreign)
  assert.deepEqual(lines(ours), ['test test on'])
  assert.deepEqual(lines(theirs), ['test  on'])
})
