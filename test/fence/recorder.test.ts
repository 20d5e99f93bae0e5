/** D22: the `recorder` driver on a double of its program, and through the real one to a BMC. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openDevice } from '../../src/fence/device.ts'
import { recorder } from '../../src/fence/drivers/recorder.ts'
import { folder } from '../config/files.ts'
import { agentProgram, site } from '../recorder/site.ts'
import { createAgentDouble } from './agent-double.ts'
import { contract, type Fault, type Stand } from './contract.ts'
import { admin, noBmc, startBmc } from './ipmi-sim.ts'

const happens: readonly Fault[] = [
  ...(['hang', 'drop in mid-answer', 'reset', 'slow drip', 'HTML login page'] as const),
  ...(['401', '403', '404', '409', '429', '500'] as const),
  ...(['truncated JSON', 'wrong JSON', 'huge answer'] as const),
  ...(['ignored', 'late', 'comes back on'] as const),
]

/** A program that keeps the contract of the recorder, and a responder behind it. */
async function start(): Promise<Stand> {
  const double = createAgentDouble('fence_recorder', '')
  return {
    over: 'program',
    options: { plug: '3', program: join(double.folder, 'fence_recorder') },
    secrets: [],
    identity: undefined,
    power: () => (double.power() === 'off' ? 'off' : 'on'),
    setPower: double.setPower,
    between: [
      ...['exit 1', 'exit 2', 'exit 3', 'echo off; exit 1', 'echo Status: OFF; exit 3'],
      ...['echo Status: ON; exit 2', 'echo Status: OFF; exit 0', 'echo off; exit 2', 'kill -9 $$'],
    ],
    setBetween: double.setPower,
    fail(fault, from) {
      const can = happens.includes(fault) && from === 0
      double.setFault(can ? fault : '')
      return can
    },
    empty: () => double.setList("echo 'The responder does not tell its nodes'"),
    mend() {
      double.setFault('')
      double.setList()
    },
    requests: () => double.calls().length,
    offs: () => double.calls().filter((action) => action === 'off').length,
    close: async () => double.remove(),
  }
}

contract(recorder, start)

test('through the real recorder and a responder a BMC is switched, and without one nothing', {
  skip: noBmc,
}, async (t) => {
  const here = site(t)
  const bmc = await startBmc()
  t.after(() => bmc.stop())
  const dir = folder(t, {
    'config.yaml': `cluster:
  name: outside
  nodes: [{ name: node-01, fence: {driver: ipmi, host: 127.0.0.1, port: ${bmc.port}} }]
fence: { drivers: { ipmi: { cipher: 3, privilege: administrator, timeout_seconds: 5 } } }
`,
    'fence-secrets.yaml': `ipmi: { user: ${admin.name}, password: ${admin.password} }\n`,
  })
  const options = {
    ...{ plug: 'node-01', directory: here.place.dir, log_dir: here.logs },
    program: agentProgram,
  }
  const device = openDevice({ id: 'node-01/1/1', driver: recorder, options })
  const ask = { timeoutMs: 60_000 }
  const responder = await here.responder(
    ...['--config', join(dir, 'config.yaml'), '--state', join(dir, 'state')],
  )
  await responder.says(/answers the requests in/)
  assert.equal((await device.read(ask)).power, 'on')
  const off = await device.off(ask)
  assert.equal(off.outcome, 'accepted', off.detail)
  assert.equal((await device.read(ask)).power, 'off')
  assert.equal(bmc.power(), 'off')
  await responder.end()
  const nobody = await device.on({ timeoutMs: 4_000 })
  assert.equal(nobody.outcome, 'unknown', nobody.detail)
  assert.equal(bmc.power(), 'off')
})
