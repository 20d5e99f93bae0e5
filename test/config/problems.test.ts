/** C3: every mistake has its place, its value and what would be right; all of them in one run. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plainWishes } from '../../src/core/model.ts'
import { driverNames } from '../../src/fence/drivers/index.ts'
import { load, problemsOf, twoNodes } from './files.ts'

test('C3 one run finds everything, in the order of the file', async (t) => {
  const config = `cluster:
  name: x y
  nodes:
    - name: a
      adress: 1.2.3.4
      address: foo.example
      fence: { driver: ipmj, host: 1.2.3.4 }
    - name: b
      fence: [{ driver: ipmi, host: -x, password: p, usr: x }, verify, 5]
    - name: b
fence:
  confirm_down: false
  enabled: yes
  delay: 30
  delay_seconds: 30s
  require_quorum: false
resources:
  - { id: v, type: vpi }
  - { id: v, type: exec, run: x, nodes: [a, c, a], timeouts: { start: 5 }, strat: 1 }
timing: { beat: 5, beat_ms: 5, silent_seconds: 1m }
tming: 1
`
  assert.deepEqual(await problemsOf(t, { config }), [
    'config.yaml:2:9: cluster.name is "x y"; write letters, digits, `.`, `_` and `-`',
    'config.yaml:5:7: there is no option cluster.nodes[0].adress. Did you mean address?',
    'config.yaml:6:16: cluster.nodes[0].address: "foo.example" is not an IP address; write one, not a name',
    `config.yaml:7:24: there is no fence driver "ipmj"; there are: ${drivers}. Did you mean ipmi?`,
    'config.yaml:9:31: host ("-x") is not an address or a name',
    'config.yaml:9:41: password is a secret and may not stand in this file; write it in the secrets file fence-secrets.yaml, or password_env with the name of an environment variable, or password_credential with the name of a systemd credential',
    'config.yaml:9:54: ipmi has no option usr. Did you mean user?',
    'config.yaml:9:64: this level has no device, and silence alone proves nothing; to listen after a device, write both in one level: [{driver: …}, verify]',
    'config.yaml:9:72: a step is 5; write {driver: …} or the word verify',
    'config.yaml:10:13: "b" is the name of cluster.nodes[1] too; names are unique',
    'config.yaml:12:17: fence.confirm_down is false; write true: an off that is not read back proves nothing',
    'config.yaml:13:12: fence.enabled is "yes"; write true or false',
    'config.yaml:14:3: there is no option fence.delay. Did you mean delay_seconds?',
    'config.yaml:15:18: fence.delay_seconds is "30s"; write a number, e.g. 30; the unit stands in the name',
    'config.yaml:16:19: fence.require_quorum is false; write true: without quorum two halves of a cluster would shoot each other',
    'config.yaml:18:20: there is no resource type "vpi"; there are: exec, ocf, systemd, vip. Did you mean vip?',
    'config.yaml:19:11: "v" is the id of resources[0] too; names are unique',
    'config.yaml:19:45: there is no node "c" in this cluster; there are: a, b, b.',
    'config.yaml:19:48: a stands twice among the nodes of v; take one out',
    'config.yaml:19:64: there is no option resources[1].timeouts.start. Did you mean start_seconds?',
    'config.yaml:19:76: a resource of type exec has no option strat. Did you mean start?',
    'config.yaml:20:11: there is no option timing.beat. Did you mean beat_ms?',
    'config.yaml:20:29: timing.beat_ms is 5; write a number of at least 10',
    'config.yaml:20:48: timing.silent_seconds is "1m"; write a number, e.g. 1; the unit stands in the name',
    'config.yaml:21:1: there is no option tming. Did you mean timing?',
  ])
})

const drivers = [...driverNames].sort().join(', ')

const single: readonly (readonly [what: string, config: string, problem: string])[] = [
  ['an empty file', '', 'config.yaml:1:1: it is empty'],
  ['a file of comments', '# nothing\n', 'config.yaml:1:1: the file is empty'],
  ['a list', '- a\n', 'config.yaml:1:1: this is a list; write a map (key: value)'],
  ['a text', 'hello\n', 'config.yaml:1:1: this is "hello"; write a map (key: value)'],
  [
    'nothing about the cluster',
    'fence: {}\n',
    'config.yaml:1:1: cluster is missing; write a map (key: value)',
  ],
  [
    'a cluster without nodes',
    'cluster: { name: x, nodes: [] }\n',
    'config.yaml:1:28: cluster.nodes is a list; write a list of at least 1 item',
  ],
  [
    'a node without a name',
    'cluster:\n  name: x\n  nodes:\n    - address: 10.0.0.1\n',
    'config.yaml:4:7: cluster.nodes[0].name is missing; write a text',
  ],
  [
    'a key that stands twice',
    'cluster: { name: x, nodes: [{ name: a }] }\ncluster: {}\n',
    'config.yaml:2:1: the key "cluster" stands twice in this map; take one out',
  ],
  [
    'a bracket that is not closed',
    'cluster: { name: x\n',
    'config.yaml:2:1: this is not YAML: a line is not indented like its neighbours, or a bracket is not closed',
  ],
  [
    'what follows from a first slip',
    'cluster: { name: "a" b, nodes: [{ name: a, b: c }] }\n',
    'config.yaml:1:22: this is not YAML: something stands where nothing is expected; put a text in quotes',
  ],
  [
    'a resource without a type',
    `${twoNodes}resources: [{ id: web }]\n`,
    'config.yaml:6:13: resources[0].type is missing; write one of exec, ocf, systemd, vip',
  ],
  [
    'two documents',
    `${twoNodes}---\na: 1\n`,
    'config.yaml:6:1: this is not YAML: this is more than one document; take out the line ---',
  ],
  [
    'an unknown tag',
    'cluster: !!js/function x\n',
    'config.yaml:1:10: this is not YAML: a text begins with a tag (!) that does not exist; put it in quotes',
  ],
  [
    'an alias to nothing',
    'cluster: *nothing\n',
    'config.yaml:1:1: Unresolved alias (the anchor must be set before the alias): nothing',
  ],
  [
    'a name that is a number',
    'cluster: { name: x, nodes: [{ name: "12" }] }\n',
    'config.yaml:1:37: cluster.nodes[0].name: "12" cannot be a name; write one with a letter',
  ],
  [
    'a name that objects have already',
    'cluster: { name: x, nodes: [{ name: constructor }] }\n',
    'config.yaml:1:37: cluster.nodes[0].name: "constructor" cannot be a name; write one with a letter',
  ],
  [
    'a name with a slash',
    'cluster: { name: x, nodes: [{ name: a/b }] }\n',
    'config.yaml:1:37: cluster.nodes[0].name is "a/b"; write letters, digits, `.`, `_` and `-`',
  ],
  [
    'an address of a node that is to move',
    `cluster: { name: x, nodes: [{ name: a, unfenced: accepted, address: "2001:db8::0:1" }] }\nresources: [{ id: v, type: vip, address: "2001:db8::1/64" }]\n`,
    'config.yaml:2:13: v is an address of a itself (address 2001:db8::1); give it one of its own',
  ],
  [
    'S16 one thing under two names',
    `${twoNodes}resources:\n  - { id: r, type: exec, run: sleep 1 }\n  - { id: s, type: exec, run: sleep 1 }\n`,
    'config.yaml:8:5: s is the same thing as r (program sleep 1); keep one of them',
  ],
  [
    "an option that the resource's type refuses",
    `${twoNodes}resources:\n  - { id: r, type: exec, run: "" }\n`,
    'config.yaml:7:31: r.run: names no program',
  ],
  [
    'options of a type that exclude each other',
    `${twoNodes}resources:\n  - { id: r, type: exec }\n`,
    'config.yaml:7:5: r: exactly one of `run` and `start` is needed',
  ],
  [
    'a vip without its address',
    `${twoNodes}resources:\n  - { id: r, type: vip, interface: eth0 }\n`,
    'config.yaml:7:5: r.address is missing; write a text',
  ],
]

for (const [what, config, problem] of single) {
  test(`C3 ${what} is told`, async (t) => {
    assert.deepEqual(await problemsOf(t, { config }), [problem])
  })
}

const timings: readonly (readonly [timing: string, problem: RegExp])[] = [
  [
    '{ silent_seconds: 3.9 }',
    /^config\.yaml:6:27: timing\.silent_seconds is 3\.9; write at least 4/,
  ],
  ['{ echo_ms: 1999 }', /^config\.yaml:6:20: timing\.echo_ms is 1999; write at least 2000/],
  ['{ echo_ms: 5001 }', /^config\.yaml:6:20: timing\.echo_ms is 5001; write at most 5000/],
  ['{ beat_ms: 3000 }', /timing\.silent_seconds is 10; write at least 12/],
  ['{ stranger_seconds: 9 }', /timing\.stranger_seconds is 9; write at least .* \(10\)/],
  ['{ retry_max_seconds: 1 }', /timing\.retry_max_seconds is 1; write at least .* \(2\)/],
  ['{ stop_attempts: 0 }', /timing\.stop_attempts is 0; write a number of at least 1/],
  ['{ stop_attempts: 1.5 }', /timing\.stop_attempts is 1\.5; write a whole number/],
  ['{ leave_seconds: -1 }', /timing\.leave_seconds is -1; write a number of more than 0/],
  ['{ beat_ms: .inf }', /timing\.beat_ms is Infinity/],
  ['{ beat_ms: .nan }', /timing\.beat_ms is NaN/],
]

for (const [timing, problem] of timings) {
  test(`C3 impossible timing is refused: ${timing}`, async (t) => {
    const problems = await problemsOf(t, { config: `${twoNodes}timing: ${timing}\n` })
    assert.equal(problems.length, 1)
    assert.match(problems[0] ?? '', problem)
  })
}

test('timing has these defaults, and a short silence shortens the echo', async (t) => {
  const { core } = await load(t, { config: twoNodes })
  assert.deepEqual(core.timing, {
    beatMs: 1000,
    echoMs: 2500,
    silentMs: 10_000,
    strangerMs: 300_000,
    startGraceMs: 30_000,
    retryMs: 2000,
    retryMaxMs: 60_000,
    checkEveryMs: 300_000,
    coolDownMs: 60_000,
    stopAttemptsMax: 3,
    leaveMs: 10_000,
    detachMs: 60_000,
  })
  const short = await load(t, { config: `${twoNodes}timing: { silent_seconds: 4 }\n` })
  assert.equal(short.core.timing.echoMs, 2000)
})

test('a resource has all nodes in the order of the config, and times in milliseconds', async (t) => {
  const config = `${twoNodes}resources:
  - { id: r, type: exec, run: sleep 1 }
  - id: s
    type: exec
    run: sleep 2
    nodes: [b, a]
    timeouts: { stop_seconds: 1.5 }
    monitor_every_seconds: 3
`
  const { core, resources } = await load(t, { config })
  const failing = { action: 'restart', monitorsMax: 2, startsMax: 1, timeoutMs: 60_000 }
  assert.deepEqual(core.resources, [
    {
      ...{ ...plainWishes, failing, noQuorum: 'stop' },
      id: 'r',
      thing: 'program sleep 1',
      nodes: ['a', 'b'],
      startMs: 20_000,
      stopMs: 20_000,
      probeMs: 10_000,
      monitorEveryMs: 10_000,
    },
    {
      ...{ ...plainWishes, failing, noQuorum: 'stop' },
      id: 's',
      thing: 'program sleep 2',
      nodes: ['b', 'a'],
      startMs: 20_000,
      stopMs: 1500,
      probeMs: 10_000,
      monitorEveryMs: 3000,
    },
  ])
  assert.deepEqual(resources, [
    {
      ...{ id: 'r', name: 'r', type: 'exec', options: { run: 'sleep 1' }, monitorEveryMs: 10_000 },
      ...{ secretKeys: [], secrets: [] },
    },
    {
      ...{ id: 's', name: 's', type: 'exec', options: { run: 'sleep 2' }, monitorEveryMs: 3000 },
      ...{ secretKeys: [], secrets: [] },
    },
  ])
})

const step = (text: string) => `cluster:
  name: x
  nodes:
    - name: a
      fence: { driver: ${text} }
`
const status = 'status: { off: ["0"], on: ["1"] }'
const login =
  'proxmox: { token_id: "a@pam!b", token_secret: c }\nredfish: { user: u, password: p }\n' +
  'ipmi: { user: u, password: p }\n'
const guest = 'proxmox, vmid: 100, api_url: "https://192.0.2.1:8006"'

const steps: readonly (readonly [what: string, step: string, problem: string])[] = [
  [
    'an option in an option',
    `http, url: "https://p", off: { methode: PUT }, on: {}, ${status}`,
    '5:55: there is no option off.methode. Did you mean method?',
  ],
  [
    'a value where a list is right',
    'http, url: "https://p", off: {}, on: {}, status: { off: off, on: ["on"] }',
    '5:80: status.off is "off"; write a list, e.g. ["off"]',
  ],
  [
    'a number where a text is right',
    'http, url: "https://p", off: {}, on: {}, status: { off: [0], on: ["1"] }',
    '5:81: status.off[0] is 0; write a text, e.g. "0"',
  ],
  [
    'a BMC without an address',
    'redfish',
    '5:14: the address of the BMC is set nowhere; write host, or url instead',
  ],
  [
    'a URL where a host is right',
    'ipmi, host: "http://192.0.2.7"',
    '5:30: host ("http://192.0.2.7") is a URL; write the address or the name in it alone',
  ],
  [
    'a host with a port',
    'ipmi, host: "192.0.2.7:623"',
    '5:30: host ("192.0.2.7:623") is an address with a port; write the port in the option ' +
      'port',
  ],
  [
    'a host with a port for Redfish',
    'redfish, host: "[2001:db8::7]:443"',
    '5:33: host ("[2001:db8::7]:443") is an address with a port; write the port in the option ' +
      'port',
  ],
  [
    'a host in brackets',
    'ipmi, host: "[2001:db8::7]"',
    '5:30: host ("[2001:db8::7]") is in brackets; write the address without them',
  ],
  [
    'a host that is no IPv4 address',
    'ipmi, host: 192.168.10.312',
    '5:30: host ("192.168.10.312") is no IPv4 address: it has four numbers from 0 to 255',
  ],
  [
    'a URL where an agent takes an address',
    'agent, agent: fence_apc, options: { ip: "http://192.0.2.7" }',
    '5:64: options.ip ("http://192.0.2.7") is a URL; write the address or the name in it alone',
  ],
  [
    'an address with a port where an agent takes an address',
    'agent, agent: fence_apc, options: { ipaddr: "192.0.2.7:22" }',
    '5:68: options.ipaddr ("192.0.2.7:22") is an address with a port; write the port in ipport',
  ],
  [
    'a host that is no address',
    'ipmi, host: "a:b:c"',
    '5:30: host ("a:b:c") is not an address or a name',
  ],
  [
    'a BMC with two addresses',
    'redfish, host: h, url: "https://h"',
    '5:33: host ("h") is set, and url as well; keep one of them',
  ],
  [
    'a reset type of two words',
    'redfish, host: h, reset_type: "Force Off"',
    '5:42: reset_type ("Force Off") is not one word like ForceOff, as the BMC lists it',
  ],
  [
    'a fingerprint that is none',
    'redfish, host: h, fingerprint: abc',
    '5:42: fingerprint ("abc") is not a SHA-256 fingerprint; write 64 hex digits, with or ' +
      'without colons',
  ],
  [
    'a guest with two logins',
    `${guest}, user: root@pam`,
    '5:14: proxmox has two logins, an API token and a user; keep one of them: token_id and ' +
      'token_secret, or user and password',
  ],
]

for (const [what, text, problem] of steps) {
  test(`C3 ${what} is told`, async (t) => {
    const problems = await problemsOf(t, { config: step(text), secrets: login })
    assert.deepEqual(problems, [`config.yaml:${problem}`])
  })
}

test('C3 a guest without a login, or with half of one, is told', async (t) => {
  const said = (secrets: string) => problemsOf(t, { config: step(guest), secrets })
  assert.deepEqual(await said('proxmox: {}'), [
    'config.yaml:5:14: the login of proxmox is set nowhere; write token_id and token_secret, or ' +
      'user and password, in the secrets file',
  ])
  assert.deepEqual(await said('proxmox: { token_id: "a@pam!b" }'), [
    'config.yaml:5:14: the option token_secret of proxmox is set nowhere, and token_id is; write ' +
      'it in the secrets file',
  ])
})

test('C3 tabs are told once', async (t) => {
  const config = twoNodes.replaceAll('    - ', '\t\t- ')
  assert.deepEqual(await problemsOf(t, { config }), [
    'config.yaml:4:1: this is not YAML: a tab in front of a line; indent with blanks',
  ])
})

test('C3 two times that do not fit are told at the one that is written', async (t) => {
  const said = async (timing: string) =>
    await problemsOf(t, { config: `${twoNodes}timing: ${timing}\n` })
  assert.match((await said('{ beat_ms: 5000 }'))[0] ?? '', /^config.yaml:6:20: timing.silent_sec/)
  const both = await said('{ beat_ms: 5000, silent_seconds: 9 }')
  assert.match(both[0] ?? '', /^config.yaml:6:42: timing.silent_seconds is 9/)
  assert.match((await said('{ silent_seconds: 400 }'))[0] ?? '', /^config.yaml:6:27: .*stranger/)
})

test('C3 a host may be a name, or an address of either kind', async (t) => {
  for (const host of ['bmc-1.example', '192.0.2.7', '2001:db8::7', 'fe80::1%eth0']) {
    await load(t, { config: step(`ipmi, host: "${host}"`), secrets: login })
  }
})
