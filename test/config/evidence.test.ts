/** F15: what counts as proof at least, which steps do not come up to it, and how that is said. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { effectiveYaml, levelLines } from '../../src/config/show.ts'
import { load, problemsOf } from './files.ts'

const secrets = `agent: { secret_options: { passwd: geheim } }
`

function config(step: string, least = ''): string {
  return `cluster:
  name: test
  nodes:
    - name: a
      fence: ${step}
    - name: b
    - name: c
fence:
  storm_limit: 3
${least}`
}

const fabric = '{ driver: agent, agent: fence_scsi, cuts: fabric, options: { devices: /dev/sdb } }'
const settled = '  least_evidence: fabric\n'

test('F15 nothing counts by default but a power that was read back as off', async (t) => {
  const problems = await problemsOf(t, { config: config(fabric), secrets })
  assert.deepEqual(problems, [
    'config.yaml:5:14: a/1/1 (agent) proves of a no more than fabric: it is cut off from its ' +
      'storage or network, and runs on; fence.least_evidence is power. Use a step that proves ' +
      'power, or write least_evidence: fabric in fence, if that is enough for all that runs there',
  ])
})

test('an agent that proves no off is refused by name, without any device', async (t) => {
  const powerless = '{ driver: agent, agent: fence_ack_manual }'
  assert.deepEqual(await problemsOf(t, { config: config(powerless) }), [
    'config.yaml:5:31: agent: fence_ack_manual believes a person, and can never prove an off; ' +
      'configure a device that cuts the power',
  ])
  const silent = fabric.replace(', cuts: fabric', '')
  assert.deepEqual(await problemsOf(t, { config: config(silent, settled), secrets }), [
    'config.yaml:5:31: agent: fence_scsi cuts storage or network and no power: its off is no ' +
      'proof; write cuts: fabric, which fence.least_evidence has to allow',
  ])
})

test('F15 a step in the second level is judged by the same rule, at its own place', async (t) => {
  const levels = `[{ driver: agent, agent: fence_apc }, ${fabric}]`
  const problems = await problemsOf(t, { config: config(levels), secrets })
  assert.equal(problems.length, 1)
  assert.match(problems[0]!, /^config.yaml:5:52: a\/2\/1 \(agent\)/)
})

test('F15 what is settled for is a warning at every start, and stands at each step', async (t) => {
  const loaded = await load(t, { config: config(fabric, settled), secrets })
  assert.deepEqual(
    loaded.warnings.filter((warning) => warning.includes('proof')),
    [
      'Less than a power that is off counts as proof (fence.least_evidence: fabric): ' +
        'a/1/1 proves fabric only.',
    ],
  )
  assert.deepEqual(
    levelLines(loaded).map(({ text }) => text),
    ['agent at fence_scsi (a/1/1, proves fabric only)'],
  )
  assert.match(effectiveYaml(loaded), /least_evidence: fabric/)
  assert.equal(loaded.core.devices[0]?.isolation, 'fabric')
})

test('F15 a weaker least accepts everything that is stronger', async (t) => {
  const loaded = await load(t, { config: config(fabric, '  least_evidence: new-boot\n'), secrets })
  assert.equal(loaded.core.devices.length, 1)
  const strong = '{ driver: agent, agent: fence_apc }'
  const { warnings } = await load(t, { config: config(strong, settled), secrets })
  assert.ok(warnings.some((warning) => warning.endsWith('no step proves less today.')))
  const none = await load(t, { config: config(strong), secrets })
  assert.ok(!none.warnings.some((warning) => warning.includes('proof')))
})

test('F15 the least is one of four words', async (t) => {
  const strong = '{ driver: agent, agent: fence_apc }'
  const problems = await problemsOf(t, { config: config(strong, '  least_evidence: hope\n') })
  assert.match(problems[0]!, /power.*fabric.*rescue-boot.*new-boot/)
})

const reset = '{ driver: redfish, host: 192.168.10.11, by: reset }'
const off = '{ driver: redfish, host: 192.168.10.12 }'
const booted = '  least_evidence: new-boot\n'
const login = `redfish: { user: picket, password: geheim }
`

test('F15 a reset is the weakest proof of all, and is refused by default', async (t) => {
  const [problem, ...more] = await problemsOf(t, { config: config(reset), secrets: login })
  assert.deepEqual(more, [])
  assert.match(problem!, /^config.yaml:5:14: a\/1\/1 \(redfish\) proves of a no more than new-boot/)
  assert.match(problem!, /it has been reset, and runs again.*write least_evidence: new-boot/)
  const levels = `[${off}, ${reset}]`
  const loaded = await load(t, { config: config(levels, booted), secrets: login })
  const [first, second] = loaded.core.devices
  assert.deepEqual([first?.isolation, second?.isolation], ['power', 'new-boot'])
  assert.ok(second!.settleMs > first!.settleMs)
  assert.match(loaded.warnings.join(), /least_evidence: new-boot\): a\/2\/1 proves new-boot only/)
})

test('F15 a driver that cannot prove a reset has no such option, and is named', async (t) => {
  const step = '{ driver: ipmi, host: 192.168.10.11, by: reset }'
  const ipmi = 'ipmi: { user: picket, password: geheim }\n'
  const [problem] = await problemsOf(t, { config: config(step, booted), secrets: ipmi })
  assert.match(problem!, /^config.yaml:5:51: ipmi has no option by/)
})

test('F15 a reset is a level of its own, without silence', async (t) => {
  const refused = async (level: string) =>
    (await problemsOf(t, { config: addressed(level), secrets: login })).join('\n')
  assert.match(await refused(`[[${reset}, verify]]`), /5:\d+: a\/1\/1 .*take verify out/)
  assert.match(await refused(`[[${reset}, ${off}]]`), /another step beside it.*level of its own/)
  assert.match(
    await refused(`[[${off}, ${reset}]]`),
    /a\/1\/2 \(redfish\) resets.*level of its own/,
  )
  // Where all levels of a node listen, this one does not.
  const { core } = await load(t, { config: addressed(`[${off}, ${reset}]`), secrets: login })
  assert.deepEqual(
    core.nodes[0]?.levels.map(({ verify }) => verify),
    [true, false],
  )
})

test('F15 a node that is only cut off goes on answering: its level does not listen', async (t) => {
  const agents = `${secrets}${login}`
  const explicit = { config: addressed(`[[${fabric}, verify]]`), secrets: agents }
  assert.deepEqual(await problemsOf(t, explicit), [
    'config.yaml:5:15: a/1/1 (agent) cuts no power, and the node runs on: verify beside it would ' +
      'never hold; take verify out of this level',
  ])
  const levels = `[${fabric}, [${fabric}, ${off}], [${fabric}, ${off}, verify]]`
  const { core } = await load(t, { config: addressed(levels), secrets: agents })
  assert.deepEqual(
    core.nodes[0]?.levels.map(({ verify }) => verify),
    [false, true, true],
  )
})

function addressed(fence: string): string {
  return config(fence, booted).replace(
    '    - name: b',
    '      addresses: { c: 10.0.0.1 }\n    - name: b',
  )
}
