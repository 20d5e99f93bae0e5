/** The two grammars of an agent, and what it makes of them, without a device. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Call, readCall, refusedAction, valuesOf } from '../../src/agent/call.ts'
import { known, pairsIn, pairsOf } from '../../src/agent/input.ts'
import { anyAgent, verifyAgent } from '../../src/agent/names.ts'
import { parametersOf } from '../../src/agent/parameters.ts'
import { openSite } from '../../src/agent/site.ts'

const ipmi = parametersOf('fence_picket_ipmi')
const device = 'ip=192.0.2.1\nusername=a\npassword=b\n'

function given(text: string, agent = 'fence_picket_ipmi') {
  const driver = /^driver=(.*)$/m.exec(text)?.[1]
  return known(pairsIn(text), parametersOf(agent, driver))
}

function read(text: string, agent = 'fence_picket_ipmi', service?: string) {
  return readCall(agent, given(text, agent), service)
}

function call(text: string, agent?: string, service?: string): Call {
  const found = read(text, agent, service)
  assert.ok(found.ok, found.ok ? '' : found.error)
  return found.call
}

function refusal(text: string, agent?: string): string {
  const found = read(text, agent)
  assert.ok(!found.ok, 'it was not refused')
  return found.error
}

test('A1 standard input: blanks, comments, the first =, quotes, dashes, the last one wins', () => {
  const text = `
  # a comment=1
  ip = 192.0.2.1
power-timeout=7
password="a b=c"d #e"
username="quoted"
verbose
action=status
ACTION=OFF
`
  const pairs = pairsIn(text)
  assert.deepEqual(Object.fromEntries(pairs.map(({ name, value }) => [name, value])), {
    ip: ' 192.0.2.1',
    power_timeout: '7',
    password: 'a b=c"d #e',
    username: 'quoted',
    verbose: '',
    action: 'OFF',
  })
})

test('A1 arguments: GNU getopt, any order, beginnings of names, left-over words', () => {
  const args = [
    '-n5',
    'left',
    '--user',
    'me',
    '-a',
    '192.0.2.1',
    '-vvv',
    '--power-t=9',
    '-o',
    'off',
  ]
  const { pairs, warnings, error } = pairsOf(args, ipmi)
  assert.equal(error, undefined)
  assert.deepEqual(warnings, ['Parse error: Unknown arguments: 1 words'])
  assert.deepEqual(Object.fromEntries(valuesOf(pairs, ipmi)), {
    plug: '5',
    username: 'me',
    ip: '192.0.2.1',
    verbose: '1',
    power_timeout: '9',
    action: 'off',
  })
  for (const [wrong, said] of [
    [['--nonsense'], /option --nonsense not recognized/],
    [['-Z'], /option -Z not recognized/],
    [['--power', '3'], /--power not a unique prefix/],
    [['--ip'], /--ip requires argument/],
    [['-o'], /-o requires argument/],
  ] as const) {
    assert.match(pairsOf(wrong, ipmi).error ?? '', said)
  }
})

test('A1 old and new names mean the same, and so do the driver own ones', () => {
  const classic = call('action=off\nipaddr=192.0.2.1\nlogin=a\npasswd=b\n')
  const modern = call(`action=off\n${device}`)
  const own = call('action=off\nhost=192.0.2.1\nuser=a\npassword=b\n')
  assert.deepEqual(classic.options, modern.options)
  assert.deepEqual(own.options, modern.options)
  assert.deepEqual(modern.options, { host: '192.0.2.1', user: 'a', password: 'b' })
  const guest = 'api_url=https://192.0.2.1\ntoken_id=a@pve!b\ntoken_secret=c\naction=off\n'
  for (const name of ['plug', 'port', 'vmid']) {
    assert.deepEqual(call(`${guest}${name}=102\n`, 'fence_picket_proxmox').plugs, ['102'])
  }
  const address = 'ip=192.0.2.1\nusername=a@pve\npassword=c\naction=off\nplug=102\n'
  const { options } = call(`${address}ssl_insecure=1\n`, 'fence_picket_proxmox')
  assert.deepEqual([options.api_url, options.verify_ssl], ['https://192.0.2.1:8006', '0'])
  const { options: kvm } = call('ip=192.0.2.1\nplug=web\naction=off\n', 'fence_picket_libvirt')
  assert.equal(kvm.uri, 'qemu+ssh://root@192.0.2.1/system')
})

test('A1 item 4: nodename is never a plug, and loses against what is configured', () => {
  const guest = 'api_url=https://192.0.2.1\ntoken_id=a@pve!b\ntoken_secret=c\naction=off\n'
  const proxmox = 'fence_picket_proxmox'
  assert.match(refusal(`${guest}nodename=n2\n`, proxmox), /You have to enter plug number/)
  // Pacemaker 2.1 fills in `port` although `plug` is configured.
  assert.deepEqual(call(`${guest}plug=102\nport=n2\nnodename=n2\n`, proxmox).plugs, ['102'])
  assert.deepEqual(call(`${guest}port=n2\nplug=102\nnodename=n2\n`, proxmox).plugs, ['102'])
  assert.match(refusal(`${guest}plug=102\nport=103\nnodename=n2\n`, proxmox), /different machines/)
  // What Pacemaker fills in names no system of a Redfish service; what is configured does.
  const redfish = `${device}action=off\nnodename=n2\n`
  assert.deepEqual(call(`${redfish}port=n2\n`, 'fence_picket_redfish').plugs, [])
  assert.deepEqual(call(`${redfish}port=blade1\n`, 'fence_picket_redfish').plugs, ['blade1'])
  assert.deepEqual(call(`${redfish}plug=n2\nport=n2\n`, 'fence_picket_redfish').plugs, ['n2'])
  const { nodename, plugs } = call(`action=off\n${device}nodename=n2\nport=n2\n`)
  assert.deepEqual([nodename, plugs], ['n2', ['n2']])
})

test('A1 several plugs in one value, and never two machines behind a device for one', () => {
  const guest = 'api_url=https://192.0.2.1\ntoken_id=a@pve!b\ntoken_secret=c\naction=off\n'
  const proxmox = 'fence_picket_proxmox'
  assert.deepEqual(call(`${guest}plug=102, 103\n`, proxmox).plugs, ['102', '103'])
  assert.deepEqual(call(`${guest}plug=1+2\nplug_separator=+\n`, proxmox).plugs, ['1', '2'])
  assert.match(refusal(`${guest}plug=102,102\n`, proxmox), /named twice/)
  assert.match(refusal(`${guest}plug=102,\n`, proxmox), /is empty/)
  assert.match(refusal(`${device}action=off\nplug=a,b\n`), /switches one machine/)
  const asIp = call('action=off\nusername=a\npassword=b\nplug=192.0.2.9\nport_as_ip=1\n')
  assert.deepEqual([asIp.options.host, asIp.plugs], ['192.0.2.9', []])
})

test('A1 booleans count by their value, and what is neither is ignored with a word', () => {
  const guest = 'ip=192.0.2.1\nusername=a@pve\npassword=c\naction=off\nplug=102\n'
  for (const no of ['0', 'no', 'off', 'false', 'FALSE']) {
    const { options } = call(`${guest}ssl_insecure=${no}\n`, 'fence_picket_proxmox')
    assert.equal(options.verify_ssl, undefined, no)
  }
  for (const yes of ['1', 'yes', 'on', 'true']) {
    const { options } = call(`${guest}ssl_insecure=${yes}\n`, 'fence_picket_proxmox')
    assert.equal(options.verify_ssl, '0', yes)
  }
  const { pairs, warnings } = known(pairsIn('quiet=maybe\nquiet=0\n'), ipmi)
  assert.deepEqual(warnings, ["Parse error: Ignoring option 'quiet': it is neither 1 nor 0"])
  assert.deepEqual(pairs, [{ name: 'quiet', value: '0' }])
})

test('A1 what is not known is named without its value; nodename is not told of', () => {
  const { warnings } = known(pairsIn('mode=pass\npaswd=hunter2\nnodename=n1\n'), ipmi)
  assert.deepEqual(warnings, [
    "Parse error: Ignoring unknown option 'mode'",
    "Parse error: Ignoring unknown option 'paswd'",
  ])
})

test('A1 without an action, with a wrong one or diag it is refused', () => {
  assert.match(refusedAction('fence_picket_ipmi', '') ?? '', /no action is given/)
  assert.match(refusedAction('fence_picket_ipmi', 'diag') ?? '', /Unrecognised action 'diag'/)
  assert.match(refusedAction('fence_picket_ipmi', 'rebot') ?? '', /Unrecognised action 'rebot'/)
  assert.match(refusedAction(verifyAgent, 'reboot') ?? '', /Unrecognised action 'reboot'/)
  for (const action of ['off', 'on', 'reboot', 'status', 'monitor', 'list', 'list-status']) {
    assert.equal(refusedAction('fence_picket_ipmi', action), undefined)
  }
})

test('A1 every wrong parameter is named at once, in words that people search for', () => {
  assert.equal(
    refusal('action=off\nipport=x\ncipher=5\n'),
    'Failed: ipport is no number; You have to enter a valid choice for --cipher from the valid ' +
      'values: [3, 8, 12, 17]; You have to enter fence address; You have to enter login name; ' +
      'You have to enter login password or password script',
  )
  assert.match(refusal('action=off\n', anyAgent), /config, or driver and the parameters/)
  assert.match(refusal('action=off\ndriver=impi\n', anyAgent), /valid choice for --driver/)
  assert.match(refusal('action=off\nconfig=/a\ndriver=ipmi\n', anyAgent), /exclude each other/)
  const both = 'action=off\nconfig=/a\nplug=n1\n'
  assert.match(refusal(`${both}ip=192.0.2.1\n`, anyAgent), /ip mean nothing beside config/)
  assert.match(refusal(`${both}addresses=192.0.2.1\n`, verifyAgent), /addresses mean nothing/)
  assert.match(refusal(`${device}driver=ipmi\naction=off\nstate=/a\n`, anyAgent), /goes with/)
  const twice = 'ip=192.0.2.1\napi_url=https://192.0.2.1\naction=off\nplug=1\n'
  assert.match(refusal(twice, 'fence_picket_proxmox'), /api_url says again what ip says/)
  assert.match(refusal('action=off\nconfig=/a\n', anyAgent), /You have to enter plug number/)
  assert.match(refusal(`action=off\n${device}delay=99999999\n`), /delay is longer than a day/)
  assert.match(refusal(`action=reboot\n${device}method=cycle\n`), /--method .*\[onoff\]/)
})

test('A1 spans of time: those of the driver, those that are given, and who tries again', () => {
  const usual = call(`action=off\n${device}`).times
  assert.deepEqual(usual, {
    ...{ delayMs: 0, requestMs: undefined, powerMs: 20_000, waitMs: 0, gapMs: undefined },
    ...{ retryOn: 1, persists: false },
  })
  const text = `action=off\n${device}delay=3\nlogin_timeout=2\nshell_timeout=1\npower_timeout=9
power_wait=0.5\nstonith_status_sleep=2\nretry_on=4\n`
  const { times } = call(text)
  assert.deepEqual(times, {
    ...{ delayMs: 3_000, requestMs: 3_000, powerMs: 9_000, waitMs: 500, gapMs: 2_000 },
    ...{ retryOn: 4, persists: false },
  })
  const persists = (more: string, service?: string) =>
    call(`action=off\n${device}${more}`, undefined, service).times.persists
  assert.equal(persists('', 'pacemaker-fenced'), true)
  assert.equal(persists('disable_timeout=0\n', 'pacemaker-fenced'), false)
  assert.equal(persists('disable_timeout=true\n'), true)
  assert.equal(persists('', 'stonith_admin'), false)
})

test('A1 no gap between two readings is shorter than what the driver needs for a proof', async () => {
  const gapMs = async (more: string) => {
    const { loaded } = await openSite(call(`action=off\n${device}${more}`))
    return loaded.core.devices[0]?.readGapMs
  }
  const own = await gapMs('')
  assert.ok(own !== undefined && own > 0)
  assert.equal(await gapMs('stonith_status_sleep=0\n'), own)
  assert.equal(await gapMs('stonith_status_sleep=3\n'), 3_000)
})
