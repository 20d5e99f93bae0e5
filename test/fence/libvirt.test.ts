/** The `libvirt` driver on a real libvirtd with the test hypervisor, and on what virsh may say. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openDevice } from '../../src/fence/device.ts'
import { libvirt } from '../../src/fence/drivers/libvirt.ts'
import { canonicalIdentity } from '../../src/fence/identity.ts'
import { openWire } from '../../src/fence/wire.ts'
import { contract, type Stand } from './contract.ts'
import { installVirsh } from './libvirt-virsh.ts'
import {
  type Libvirtd,
  noLibvirtd,
  startLibvirtd,
  startLibvirtRelay,
  uriOf,
  uuid,
} from './libvirtd.ts'
import { withPrograms } from './programs.ts'

const skip = noLibvirtd
const ask = { timeoutMs: 8_000 }
let libvirtd: Libvirtd

before(async () => {
  if (!skip) libvirtd = await startLibvirtd()
})
after(() => libvirtd?.stop())

const state = (): string => libvirtd.virsh('domstate --reason test').trim()

/** Brings the machine into a state, whatever it was in; what does not fit is refused by libvirt. */
function setState(...verbs: readonly string[]): void {
  const all = ['managedsave-remove', 'destroy', 'start', ...verbs]
  libvirtd.virsh(all.map((verb) => `${verb} test`).join('; '))
}

const definition = (): string => join(libvirtd.folder, 'test.xml')

async function start(): Promise<Stand> {
  const relay = await startLibvirtRelay(libvirtd)
  const virsh = installVirsh()
  setState()
  return {
    over: 'program',
    options: { uri: uriOf(relay.socket), domain: 'test' },
    secrets: [],
    identity: uuid,
    // A paused machine holds its memory and its disks: it is not off.
    power: () => (state() === 'shut off (destroyed)' ? 'off' : 'on'),
    setPower: (power) => setState(...(power === 'off' ? ['destroy'] : [])),
    between: ['suspend', 'managedsave'],
    setBetween: (verb) => setState(verb),
    fail: (fault, from) => virsh.fail(fault, from) || relay.fail(fault, from),
    empty() {
      writeFileSync(definition(), libvirtd.virsh('dumpxml test'))
      libvirtd.virsh('destroy test; undefine test')
    },
    mend() {
      virsh.mend()
      relay.mend()
      if (libvirtd.virsh('list --all --name') === '') libvirtd.virsh(`define ${definition()}`)
    },
    requests: () => virsh.calls().length,
    offs: () => virsh.calls().filter((call) => call.includes('destroy --domain')).length,
    async close() {
      virsh.remove()
      await relay.close()
    },
  }
}

contract(libvirt, start, { skip })

const device = (changes: object = {}, identity?: string) =>
  openDevice({
    id: 'web-02/1/1',
    driver: libvirt,
    options: { uri: uriOf(libvirtd?.socket ?? '/nowhere'), domain: 'test', ...changes },
    identity,
  })

test('"domain is not running" is accepted and read again; the UUID is a name too', {
  skip,
}, async () => {
  setState('destroy')
  const target = device({ domain: uuid }, uuid)
  assert.equal((await target.off(ask)).outcome, 'accepted')
  assert.deepEqual(await target.read(ask), {
    power: 'off',
    raw: 'shut off (destroyed)',
    identity: canonicalIdentity(uuid),
  })
})

test('"failed to get domain" is not off', { skip }, async () => {
  for (const missing_as_off of [false, true]) {
    const target = device({ domain: 'web-99', missing_as_off })
    const read = await target.read(ask)
    assert.equal(read.power, 'unknown')
    assert.match(read.detail ?? '', /does not know this plug .*no web-99 at/)
    assert.equal((await target.off(ask)).outcome, 'refused')
    assert.equal((await target.identify(ask)).ok, false)
  }
})

test('the reset of a paused machine leaves it paused, and is refused', { skip }, async () => {
  const options = libvirt.options.parse({ uri: uriOf(libvirtd.socket), domain: 'test' })
  const { wire } = openWire({
    signal: new AbortController().signal,
    deadlineMs: performance.now() + 8_000,
  })
  setState('suspend')
  libvirtd.virsh('reset test')
  assert.equal(state(), 'paused (user)')
  await assert.rejects(
    async () => libvirt.reset?.(options, wire),
    /"paused \(user\)" is not running/,
  )
  setState()
  await libvirt.reset?.(options, wire)
  assert.match(state(), /^running/)
})

test('a saved machine is not started with its stale memory', { skip }, async () => {
  setState('managedsave')
  const pressed = await device().on(ask)
  assert.equal(pressed.outcome, 'refused')
  assert.match(pressed.detail, /"shut off \(saved\)" is not started.*managedsave-remove/)
  assert.equal(state(), 'shut off (saved)')
})

test('each way to fail is an error of its own', { skip }, async () => {
  const nowhere = device({ uri: uriOf('/nonexistent/sock') })
  const pressed = await nowhere.off(ask)
  assert.equal(pressed.outcome, 'refused')
  assert.match(pressed.detail, /cannot be reached/)
  assert.match((await nowhere.read(ask)).detail ?? '', /cannot be reached/)
})

// The words below are those of virsh, where the test hypervisor cannot be brought to say them.

const one = { uri: 'qemu:///system', domain: 'web' }
const says = (state: string): string => `printf '%s\\n' '${uuid} web' '${state}'`
const plain = (options: object) => openDevice({ id: 'web-02/1/1', driver: libvirt, options })

test('F2 only four ways of being shut off are off', async () => {
  const states: readonly [string, string][] = [
    ...['destroyed', 'shutdown', 'crashed', 'failed'].map((why): [string, string] => [
      `shut off (${why})`,
      'off',
    ]),
    ['running (booted)', 'on'],
    ['running (post-copy)', 'on'],
    ...[
      ...['shut off (migrated)', 'shut off (saved)', 'shut off (from snapshot)', 'shut off'],
      ...['shut off (unknown)', 'shut off (daemon)', 'Shut off (destroyed)', 'off', 'no state'],
      ...['paused (user)', 'paused (migrating)', 'paused (I/O error)', 'in shutdown (user)'],
      ...['crashed (panicked)', 'pmsuspended (unknown)', 'idle (unknown)', 'dying', ''],
      'shut off (destroyed) ',
    ].map((raw): [string, string] => [raw, 'unknown']),
  ]
  for (const [raw, power] of states) {
    const read = await withPrograms({ virsh: says(raw) }, () => plain(one).read(ask))
    assert.equal(read.power, power, raw)
  }
  const odd = [
    'true',
    'exit 1',
    "echo 'shut off (destroyed)'",
    `${says('shut off (destroyed)')}; exit 1`,
    `${says('shut off (destroyed)')} >&2`,
    `echo '${uuid} web'`,
    `${says('shut off (destroyed)')}; echo 'shut off (destroyed)'`,
    `${says('shut off (destroyed)')}; echo 'error: Disconnected from a due to end of file' >&2`,
    "printf 'x\\nshut off (destroyed)\\n'",
    `printf '%s\\n' '${uuid} other' 'shut off (destroyed)'`,
    'kill -9 $$',
  ]
  for (const script of odd) {
    const read = await withPrograms({ virsh: script }, () => plain(one).read(ask))
    assert.equal(read.power, 'unknown', script)
  }
})

/** A virsh that stands for two hypervisors, `qemu+tls://a/system` and `…b…`. */
function two(a: string, b: string): string {
  return `case $3 in *//a/*) ${a} ;; *) ${b} ;; esac`
}

const both = { uri: ['qemu+tls://a/system', 'qemu+tls://b/system'], domain: 'web' }
const unknownThere = 'echo "error: failed to get domain \'web\'" >&2; exit 1'
const dead = 'echo "error: failed to connect to the hypervisor" >&2; exit 1'

test('F18 what ends by itself speaks for the machine, and nothing else does', async () => {
  const states: readonly [string, string | undefined][] = [
    ...['migrating', 'dumping', 'creating snapshot', 'post-copy'].map((why): [string, string] => [
      `paused (${why})`,
      `its hypervisor is at work on it: paused (${why})`,
    ]),
    ...['running (booted)', 'paused (user)', 'paused (saving)', 'paused (I/O error)'].map(
      (raw): [string, undefined] => [raw, undefined],
    ),
    ['shut off (destroyed)', undefined],
  ]
  for (const [raw, spare] of states) {
    await withPrograms({ virsh: says(raw) }, async () => {
      assert.equal((await plain(one).read(ask)).spare, spare, raw)
    })
  }
})

test('after a live migration the source says shut off: all hypervisors are asked', async () => {
  const off = says('shut off (destroyed)')
  const left = says('shut off (migrated)')
  const cases: readonly [string, string, boolean, string][] = [
    [left, says('running (migrated)'), false, 'on'],
    [off, says('running (booted)'), true, 'on'],
    [off, off, false, 'off'],
    [off, left, false, 'unknown'],
    [off, left, true, 'off'],
    [unknownThere, off, false, 'unknown'],
    [unknownThere, off, true, 'off'],
    [left, left, true, 'unknown'],
    [unknownThere, left, true, 'unknown'],
    [off, says('shut off (saved)'), true, 'unknown'],
    [off, says('paused (migrating)'), true, 'unknown'],
    [off, dead, true, 'unknown'],
    [says('running (booted)'), dead, true, 'on'],
    [off, `printf '%s\\n' '${uuid.replace('6', '7')} web' 'shut off (destroyed)'`, true, 'unknown'],
  ]
  for (const [a, b, missing_as_off, power] of cases) {
    for (const virsh of [two(a, b), two(b, a)]) {
      const read = await withPrograms({ virsh }, () => plain({ ...both, missing_as_off }).read(ask))
      assert.equal(read.power, power, virsh)
    }
  }
})

test('a machine with several hypervisors is destroyed where it runs, and started in one place', async () => {
  const idle = 'echo "error: Requested operation is not valid: domain is not running" >&2; exit 1'
  const cases: readonly [string, string, string][] = [
    ['exit 0', idle, 'accepted'],
    ['exit 0', dead, 'accepted'],
    [idle, idle, 'accepted'],
    [idle, unknownThere, 'accepted'],
    [idle, dead, 'refused'],
    [idle, 'echo "error: End of file while reading data" >&2; exit 1', 'unknown'],
    [unknownThere, unknownThere, 'refused'],
  ]
  for (const [a, b, outcome] of cases) {
    const pressed = await withPrograms({ virsh: two(a, b) }, () => plain(both).off(ask))
    assert.equal(pressed.outcome, outcome, `${a}; ${b}; ${pressed.detail}`)
  }
  const virsh = `case $4 in start*) echo "$3" >>"\${0%/*}/started" ;;
    *) ${says('shut off (destroyed)')} ;; esac`
  const started = await withPrograms({ virsh }, async (folder) => {
    assert.equal((await plain(both).on(ask)).outcome, 'accepted')
    return readFileSync(join(folder, 'started'), 'utf8')
  })
  assert.equal(started, 'qemu+tls://a/system\n')
})

test('what a failed destroy says decides whether it may still be carried out', async () => {
  const answers: readonly [string, string, RegExp][] = [
    [
      'Failed to terminate process 4711 with SIGKILL: Device or resource busy',
      'unknown',
      /hangs in the storage/,
    ],
    ['Timed out during operation: cannot acquire state change lock', 'refused', /locked/],
    ['authentication unavailable: no polkit agent available', 'refused', /group libvirt/],
    ['Cannot recv data: Host key verification failed.: Connection reset', 'refused', /known_hosts/],
    ['Cannot recv data: a@b: Permission denied (publickey).', 'refused', /identity_file/],
    ['Disconnected from qemu:///system due to keepalive timeout', 'unknown', /broke off/],
    ['something new', 'unknown', /do not understand/],
  ]
  for (const [line, outcome, expected] of answers) {
    const script = `echo 'error: ${line}' >&2; exit 1`
    const pressed = await withPrograms({ virsh: script }, () => plain(one).off(ask))
    assert.equal(pressed.outcome, outcome, line)
    assert.match(pressed.detail, expected)
  }
})

test('another machine of the same name elsewhere is not destroyed with it', async () => {
  const other = uuid.replace('6', '7')
  const virsh = `case $4 in destroy*) echo "$3" >>"\${0%/*}/destroyed" ;; *)
    ${two(says('running (booted)'), `printf '%s\\n' '${other} web' 'running (booted)'`)} ;; esac`
  await withPrograms({ virsh }, async (folder) => {
    const pressed = await plain(both).off(ask)
    assert.equal(pressed.outcome, 'refused')
    assert.match(pressed.detail, /another machine elsewhere.*write the UUID as domain/)
    assert.equal(existsSync(join(folder, 'destroyed')), false)
    assert.equal((await plain({ ...both, domain: uuid }).off(ask)).outcome, 'accepted')
  })
})

test('a destroy is never graceful: SIGKILL is not spared', async () => {
  const virsh = `printf '%s|' "$LC_ALL" "$@" >"\${0%/*}/args"`
  const args = await withPrograms({ virsh }, async (folder) => {
    assert.equal((await plain(one).off(ask)).outcome, 'accepted')
    return readFileSync(join(folder, 'args'), 'utf8')
  })
  assert.equal(args, 'C|-q|-c|qemu:///system|destroy --domain web|')
})

test('a transient machine cannot be read as off, so it does not pass the check', async () => {
  const info = "printf 'Persistent:     %s\\nAutostart:      enable\\n'"
  const virsh = (persistent: string) => `${info} ${persistent}; ${says('running (booted)')}`
  const found = await withPrograms({ virsh: virsh('no') }, () => plain(one).identify(ask))
  assert.equal(found.ok, false)
  assert.match(found.detail, /virsh define/)
  const kept = await withPrograms({ virsh: virsh('yes') }, () => plain(one).identify(ask))
  assert.equal(kept.ok, true, kept.detail)
  assert.match(kept.detail, /started again with its hypervisor/)
})

test('ssh asks nobody, waits 3 s, and shares no connection', { skip }, async () => {
  setState()
  const folder = mkdtempSync(join(tmpdir(), 'picket-ssh-'))
  // Stands for the far side: whatever is to be run there, it leads to the socket of libvirtd.
  const relay = join(folder, 'relay.mjs')
  const far = `connect(${JSON.stringify(libvirtd.socket)})`
  writeFileSync(
    relay,
    `import { connect } from 'node:net'
    process.stdin.pipe(${far}).pipe(process.stdout)`,
  )
  const ssh = `printf '%s\\n' "$@" >>${folder}/args; exec ${process.execPath} ${relay}`
  const uri = 'test+ssh://picket@hypervisor.example/default?no_tty=0&command=evil&mode=legacy'
  try {
    await withPrograms({ ssh }, async () => {
      const target = device({ uri, identity_file: '/etc/picket/id key' }, uuid)
      const pressed = await target.off(ask)
      assert.equal(pressed.outcome, 'accepted', pressed.detail)
      assert.equal((await target.read(ask)).power, 'off')
    })
    const args = readFileSync(join(folder, 'args'), 'utf8').split('\n')
    const option = (name: string) => args.filter((arg) => arg.startsWith(`${name}=`))[0]
    assert.deepEqual(['BatchMode', 'ConnectTimeout', 'ControlMaster', 'ControlPath'].map(option), [
      'BatchMode=yes',
      'ConnectTimeout=3',
      'ControlMaster=no',
      'ControlPath=none',
    ])
    assert.equal(args[args.indexOf('-i') + 1], '/etc/picket/id key')
    assert.equal(args[args.indexOf('-l') + 1], 'picket')
    assert.equal(args[args.indexOf('--') + 1], 'hypervisor.example')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('what would be another machine, another command or a stranger is refused', () => {
  const refused = (changes: object) =>
    assert.equal(libvirt.options.safeParse({ ...one, ...changes }).success, false, `${changes}`)
  assert.equal(libvirt.options.safeParse(one).success, true)
  for (const domain of ['', '7', '-all', 'a b', 'a;destroy b', "a'b", 'a"b', 'a\nb', '--domain']) {
    refused({ domain })
  }
  for (const uri of ['', [], 'host', 'qemu+tcp://a/system', 'qemu:// a', '-r', 'esx://a/']) {
    refused({ uri })
  }
  refused({ uri: 'qemu+ssh://a/system?no_verify=1' })
  refused({ identity_file: 'id' })
})

test('without virsh the error says how to install it', async () => {
  const path = process.env.PATH ?? ''
  process.env.PATH = '/nonexistent'
  try {
    assert.match((await plain(one).identify(ask)).detail, /apt install libvirt-clients/)
  } finally {
    process.env.PATH = path
  }
})
