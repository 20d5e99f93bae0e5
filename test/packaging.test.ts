/** What is shipped for the service manager and for whatever upgrades packages: each reads its own. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const fileOf = (name: string) => fileURLToPath(new URL(`../packaging/${name}`, import.meta.url))
const lacks = (program: string) =>
  spawnSync('sh', ['-c', `command -v ${program}`]).status === 0 ? false : `there is no ${program}`

/** The values of one key of the unit. */
const unit = readFileSync(fileOf('picketd.service'), 'utf8')
const valuesOf = (key: string) =>
  [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].flatMap(([, value = '']) =>
    value.split(' '),
  )

test('Corosync is never stopped under a picketd that systemd could have stopped before', () => {
  assert.ok(valuesOf('After').includes('corosync.service'))
  assert.ok(valuesOf('PartOf').includes('corosync.service'))
})

test('services outlive a daemon that makes way, and another one is started at once', () => {
  assert.deepEqual(valuesOf('KillMode'), ['process'])
  assert.deepEqual(valuesOf('Restart'), ['always'])
  assert.deepEqual(valuesOf('RestartSec'), ['1'])
  assert.ok(!valuesOf('RestartPreventExitStatus').includes('0'))
})

for (const name of ['picketd.service', 'picket-respond.service']) {
  test(`systemd takes ${name} as it stands`, { skip: lacks('systemd-analyze') }, (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'picket-unit-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const path = join(folder, name)
    const text = readFileSync(fileOf(name), 'utf8')
    writeFileSync(path, text.replace(/\/usr\/bin\/picketd?( respond)?$/m, '/bin/true'))
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], {
      encoding: 'utf8',
      timeout: 30_000,
    })
    const ours = stderr.split('\n').filter((line) => line.includes(name))
    assert.deepEqual([status, ours], [0, []], stderr)
  })
}

test('the directory of requests belongs to root alone, and outlives its responder', () => {
  const text = readFileSync(fileOf('picket-respond.service'), 'utf8')
  assert.match(text, /^RuntimeDirectory=gfs2-fencing\nRuntimeDirectoryMode=0700$/m)
  assert.match(text, /^RuntimeDirectoryPreserve=yes$/m)
})

test('needrestart leaves Corosync and picketd alone', { skip: lacks('perl') }, () => {
  const ask = `our %nrconf; do $ARGV[0] or die "$@ $!"; for my $unit (@ARGV[1..$#ARGV]) {
    my ($re) = grep { $unit =~ $_ } keys %{$nrconf{override_rc}};
    print $unit, " ", defined $re ? $nrconf{override_rc}{$re} : "restarted", "\\n" }`
  const units = ['corosync.service', 'picketd.service', 'corosync-qdevice.service', 'ssh.service']
  const path = fileOf('needrestart.conf')
  const said = execFileSync('perl', ['-e', ask, path, ...units], { encoding: 'utf8' })
  assert.deepEqual(said.trim().split('\n'), [
    'corosync.service 0',
    'picketd.service 0',
    'corosync-qdevice.service 0',
    'ssh.service restarted',
  ])
})

test('unattended-upgrades is told in its own language', { skip: lacks('apt-config') }, () => {
  const path = fileOf('unattended-upgrades.conf')
  const said = execFileSync('apt-config', ['-c', path, 'dump'], { encoding: 'utf8' })
  const listed = [...said.matchAll(/^Unattended-Upgrade::Package-Blacklist:: "(.*)";$/gm)]
  const patterns = listed.map(([, pattern = '']) => new RegExp(pattern))
  for (const name of ['corosync', 'corosync-qdevice', 'libknet1', 'picket']) {
    assert.ok(
      patterns.some((pattern) => pattern.test(name)),
      `${name} would be upgraded`,
    )
  }
  assert.ok(!patterns.some((pattern) => pattern.test('openssh-server')))
})
