/** `picket fence … --driver NAME`: a device whose options are flags, and no configuration. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { folder } from '../config/files.ts'
import { admin, noBmc, startBmc } from '../fence/ipmi-sim.ts'
import { picket } from './picket.ts'

const env = { BMC_PASSWORD: admin.password }

test('F1 a device of the command line is read, checked, and switched off', {
  skip: noBmc,
}, async (t) => {
  const bmc = await startBmc()
  t.after(() => bmc.stop())
  const device = [
    ...['--driver', 'ipmi', '--host', '127.0.0.1', '--port', `${bmc.port}`, '--cipher=3'],
    ...['--user', admin.name, '--password-env', 'BMC_PASSWORD'],
  ]
  const before = readdirSync(tmpdir()).filter((name) => name.startsWith('picket-device-'))
  const status = await picket(['fence', 'status', 'box', ...device], { env })
  assert.equal(status.code, 0, status.err)
  assert.match(status.out, /^box is on: box\/1\/1 says so/)
  const check = await picket(['fence', 'check', ...device, 'box', '--json'], { env })
  assert.equal(JSON.parse(check.out).ok, true)
  const state = folder(t, {})
  const order = ['--yes', '--state', state]
  const off = await picket(['fence', 'off', 'box', ...device, '--dry-run'], { env })
  assert.match(off.out, /box\/1\/1 \(ipmi at 127\.0\.0\.1:\d+\): off, then off read back twice/)
  assert.deepEqual(bmc.commands(), [])
  const cluster = ['--socket', '/nowhere/control.sock']
  const refused = await picket(['fence', 'off', 'box', ...device, ...order, ...cluster], { env })
  // Where a socket is named there is a picketd to go through (S21).
  assert.equal(refused.code, 1)
  assert.deepEqual(bmc.commands(), [])
  const said = await picket(['fence', 'off', 'box', ...device, ...order], { env })
  assert.equal(said.code, 0, said.err)
  assert.match(said.out, /Done: off confirmed via ipmi \(box\/1\/1\)/)
  assert.equal(bmc.power(), 'off')
  const after = readdirSync(tmpdir()).filter((name) => name.startsWith('picket-device-'))
  assert.deepEqual(after, before)
  for (const { out, err } of [status, check, off, said]) {
    assert.ok(!`${out}${err}`.includes(admin.password))
  }
})

const mistakes: readonly (readonly [what: string, flags: readonly string[], said: RegExp])[] = [
  [
    'a secret in sight',
    ['--driver', 'ipmi', '--password', 'x'],
    /--password is a secret.*--password-env/,
  ],
  [
    'a typing mistake',
    ['--driver', 'ipmi', '--hots', 'x'],
    /no option --hots\. Did you mean host\?/,
  ],
  ['no such driver', ['--driver', 'ipmo'], /no fence driver "ipmo"\. Did you mean ipmi\?/],
  ['a configuration beside it', ['--driver', 'ipmi', '--config', 'x'], /--config means nothing/],
  ['no value', ['--driver', 'ipmi', '--host'], /--host takes a value/],
  ['no YAML', ['--driver', 'http', '--status', '{ on: ['], /value of --status is not YAML/],
  [
    'a wrong value',
    ['--driver', 'ipmi', '--user', 'a', '--password-env', 'BMC_PASSWORD', '--host', 'http://x'],
    /^host \("http:\/\/x"\) is a URL; .*\nthe command line is not valid: 1 problem/,
  ],
]

for (const [what, flags, said] of mistakes) {
  test(`F1 flags of a device: ${what} is told, and nothing is asked`, async () => {
    const { code, out, err } = await picket(['fence', 'check', 'box', ...flags], { env })
    assert.deepEqual([code, out], [2, ''])
    assert.match(err, said)
    assert.equal((await picket(['fence', 'status', 'box', ...flags], { env })).code, 1)
  })
}
