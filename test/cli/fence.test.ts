/** `picket fence`: orders go through the daemon; readings go to real BMCs; no error says "off". */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { judge } from '../../src/cli/devices.ts'
import type { Power } from '../../src/core/model.ts'
import { folder } from '../config/files.ts'
import { admin, type Bmc, noBmc, startBmc } from '../fence/ipmi-sim.ts'
import { answering, healthy, member, openDesk, openStranger, proven } from './daemon.ts'
import { picket, program } from './picket.ts'

test('off goes through picketd, is told as it happens, and ends with 0 when it is proven', async (t) => {
  const desk = await openDesk(t, healthy(), answering('done', 'web-02 is proven off', proven))
  const args = ['fence', 'off', 'web-02', '--yes', '--reason', 'it smokes', '--socket', desk.socket]
  const { code, out, err } = await picket(args, { env: { SUDO_USER: 'alice' } })
  assert.deepEqual([code, out], [0, 'Done: web-02 is proven off\n'])
  assert.equal(err, 'pressing off via web-02/1/1\nreading the power back\n')
  const [order] = desk.given
  assert.deepEqual([order?.action, order?.target, order?.reason], ['off', 'web-02', 'it smokes'])
  assert.match(order?.requester ?? '', /^alice@./)
})

test('an order that failed ends with 1, one that was refused with 3', async (t) => {
  const noProof = { ...proven, proven: false, newBoot: false, text: 'no level could prove it' }
  const failing = await openDesk(t, healthy(), answering('failed', 'not proven', noProof))
  const failed = await picket(['fence', 'on', 'web-02', '--yes', '--socket', failing.socket])
  assert.deepEqual([failed.code, failed.out], [1, ''])
  assert.match(failed.err, /Failed: not proven/)

  failing.world.refusal = 'this node has no quorum'
  const refused = await picket(['fence', 'reboot', 'web-02', '--yes', '--socket', failing.socket])
  assert.deepEqual([refused.code, refused.out], [3, ''])
  assert.match(refused.err, /Refused: this node has no quorum/)
})

test('--json passes on what the daemon says, one object a line', async (t) => {
  const desk = await openDesk(t, healthy(), answering('done', 'off', proven))
  const args = ['fence', 'off', 'web-02', '--yes', '--json', '--socket', desk.socket]
  const { code, out } = await picket(args)
  assert.equal(code, 0)
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.deepEqual(lines[0], { progress: 'pressing off via web-02/1/1' })
  assert.equal(lines.at(-1).verdict.proven, true)
})

test('without --yes and without a terminal nothing is sent: refused, 3', async (t) => {
  const desk = await openDesk(t, healthy())
  const { code, out, err } = await picket(['fence', 'off', 'web-01', '--socket', desk.socket], {
    input: 'yes\n',
  })
  assert.deepEqual([code, out], [3, ''])
  assert.match(err, /Cuts the power of web-01: vip dies there/)
  assert.match(err, /nobody here to confirm it; give --yes/)
  assert.deepEqual(desk.given, [])
})

test('in a terminal it asks, and only yes is yes', async (t) => {
  const desk = await openDesk(t, healthy(), answering('done', 'proven off', proven))
  const call = `'${program}' fence off web-02 --socket '${desk.socket}'`
  const answer = (input: string) =>
    picket(['-qec', call, '/dev/null'], { argv0: 'script', input, env: { TERM: 'dumb' } })
  for (const word of ['no', 'y', 'yes please', '', '\u0004']) {
    const { code, out } = await answer(`${word}\n`)
    assert.equal(code, 3, word)
    assert.match(out, /Type yes to switch web-02 off:/)
    assert.match(out, /Refused/)
  }
  assert.deepEqual(desk.given, [])
  const { code, out } = await answer('yes\n')
  assert.equal(code, 0)
  assert.match(out, /Done: proven off/)
  assert.equal(desk.given.length, 1)
})

test('S21 without picketd nothing is switched, and it says so', async () => {
  for (const action of ['off', 'on', 'reboot']) {
    const { code, err } = await picket(['fence', action, 'a', '--yes', '--socket', '/nowhere/s'])
    assert.equal(code, 1)
    assert.match(err, /picketd is not running here .*Nothing was switched from here\./)
  }
})

test('a daemon that ends in the middle is a failure, never a success', async (t) => {
  const dying = await openDesk(t, healthy(), (desk) => desk.control.close())
  const ran = await picket(['fence', 'off', 'web-02', '--yes', '--socket', dying.socket])
  assert.deepEqual([ran.code, ran.out], [1, ''])
  assert.match(ran.err, /ended the connection before it told the outcome/)

  const socket = await openStranger(t, (peer) => peer.end('{"ok":true,"verdict":{}}\n'))
  const stranger = await picket(['fence', 'off', 'web-02', '--yes', '--socket', socket])
  assert.equal(stranger.code, 1)
})

test('while it lasts it says every now and then that it still waits', async (t) => {
  const slow = await openDesk(t, healthy(), (desk, order) => {
    setTimeout(() => answering('done', 'proven off', proven)(desk, order), 2500)
  })
  const { code, err } = await picket(['fence', 'off', 'web-02', '--yes', '--socket', slow.socket])
  assert.equal(code, 0)
  assert.match(err, /^waiting for picketd … 1 s$/m)
})

const readings: readonly (readonly [level1: Power[], level2: Power[], power: Power])[] = [
  [['on'], [], 'on'],
  [['off'], [], 'off'],
  [['unknown'], [], 'unknown'],
  [['off'], ['off'], 'off'],
  [['off'], ['unknown'], 'off'],
  [['unknown'], ['off'], 'unknown'],
  [['unknown'], ['on'], 'on'],
  [['on'], ['unknown'], 'on'],
  [['off'], ['on'], 'unknown'],
  [['on'], ['off'], 'unknown'],
  [['off', 'off'], [], 'off'],
  [['off', 'unknown'], [], 'unknown'],
  [['off', 'on'], [], 'unknown'],
  [[], [], 'unknown'],
]

test('F15 who is cut off from its storage is not off', () => {
  const reading = { device: 'a/1/1', level: 1, isolation: 'fabric' } as const
  assert.equal(judge([{ ...reading, power: 'off' }]).power, 'unknown')
  assert.equal(judge([{ ...reading, power: 'on' }]).power, 'on')
})

test('off is said only if the whole first level says so and nobody contradicts', () => {
  const isolation = 'power' as const
  for (const [first, second, power] of readings) {
    const all = [
      ...first.map((power, i) => ({ device: `a/1/${i + 1}`, level: 1, power, isolation })),
      ...second.map((power, i) => ({ device: `a/2/${i + 1}`, level: 2, power, isolation })),
    ]
    assert.equal(judge(all).power, power, JSON.stringify([first, second]))
  }
})

/** A config with two BMCs for a, one for b and none for c. */
function configFor(t: TestContext, bmcs: readonly Bmc[], password = admin.password): string {
  const step = (bmc: Bmc | undefined) => `{driver: ipmi, host: 127.0.0.1, port: ${bmc?.port}}`
  const dir = folder(t, {
    'config.yaml': `cluster:
  name: test
  nodes:
    - { name: a, fence: [${step(bmcs[0])}, ${step(bmcs[1])}] }
    - { name: b, fence: ${step(bmcs[2])} }
    - { name: c }
fence: { drivers: { ipmi: { cipher: 3, privilege: administrator, timeout_seconds: 5 } } }
`,
    'fence-secrets.yaml': `ipmi: { user: ${admin.name}, password: ${password} }\n`,
  })
  return `${dir}/config.yaml`
}

test('status and check ask real BMCs and change nothing', { skip: noBmc }, async (t) => {
  const bmcs = await Promise.all([startBmc(), startBmc(), startBmc()])
  t.after(() => Promise.all(bmcs.map((bmc) => bmc.stop())))
  const config = configFor(t, bmcs)
  const status = (node: string, ...more: string[]) =>
    picket(['fence', 'status', node, '--config', config, ...more])

  await t.test('0 for on, with what each device said', async () => {
    const { code, out } = await status('a')
    assert.equal(code, 0)
    assert.match(out, /^a is on: a\/1\/1 and a\/2\/1 say so$/m)
    assert.match(
      out,
      /a\/1\/1 {2}ipmi at 127\.0\.0\.1:\d+ {2}on {2}\d+ ms {2}"Chassis Power is on"/,
    )
  })
  await t.test('2 for off', async () => {
    bmcs[0].setPower('off')
    bmcs[1].setPower('off')
    const { code, out } = await status('a', '--json')
    assert.equal(code, 2)
    assert.equal(JSON.parse(out).power, 'off')
  })
  await t.test('1 where the devices contradict each other', async () => {
    bmcs[1].setPower('on')
    const { code, out } = await status('a')
    assert.equal(code, 1)
    assert.match(out, /a is unknown: its devices contradict each other/)
  })
  await t.test('1 where a device hangs', async () => {
    bmcs[2].hang()
    t.after(() => bmcs[2].wake())
    const { code, out, err } = await status('b')
    assert.equal(code, 1)
    assert.match(out, /^b is unknown: b\/1\/1 could not tell$/m)
    assert.match(err, /asking the devices of b … 1 s/)
    bmcs[2].wake()
  })
  await t.test('1 where there is no device', async () => {
    const { code, out } = await status('c')
    assert.deepEqual([code, out], [1, 'c is unknown: it has no fence device\n'])
  })
  await t.test('check knows every device, and says which node has none', async () => {
    const one = await picket(['fence', 'check', 'b', '--config', config])
    assert.equal(one.code, 0, one.out + one.err)
    assert.match(one.out, /✓ ok {6}b\/1\/1 {2}ipmi at .* ms {2}.*lets admin in/)
    const all = await picket(['fence', 'check', '--config', config])
    assert.equal(all.code, 1)
    assert.equal(all.out.match(/✓ ok/g)?.length, 3)
    assert.match(all.out, /✗ FAILED {2}c has no fence device/)
  })
  await t.test('check fails with a wrong password, and does not repeat it', async () => {
    const wrong = configFor(t, bmcs, 'canary-wrong')
    const { code, out, err } = await picket(['fence', 'check', 'b', '--config', wrong, '--json'])
    assert.equal(code, 1)
    assert.equal(JSON.parse(out).ok, false)
    assert.match(out, /refused our password/)
    assert.doesNotMatch(out + err, /canary/)
  })
  await t.test('a dry run tells the whole plan and sends nothing', async () => {
    const desk = await openDesk(t, healthy({ nodes: [member('a')] }))
    const args = ['fence', 'reboot', 'a', '--dry-run', '--config', config, '--socket', desk.socket]
    const { code, out, err } = await picket(args)
    assert.equal(code, 0, err)
    assert.match(out, /would be sent to picketd at .*which is ready/)
    assert.match(
      out,
      /level 1\n {4}a\/1\/1 \(ipmi at 127.*\): off, then off read back twice; on when/,
    )
    assert.match(out, /level 2\n/)
    assert.match(out, /Nothing was switched\.\n$/)
    assert.doesNotMatch(out + err, new RegExp(admin.password))
    assert.deepEqual(desk.given, [])
    const none = await picket(['fence', 'off', 'c', '--dry-run', '--config', config])
    assert.equal(none.code, 3)
    const json = await picket([...args, '--json'])
    const { node, checks, levels, refused } = JSON.parse(json.out)
    assert.deepEqual([node, checks.length, levels.length, refused], ['a', 2, 2, ''])
  })
  await t.test('a dry run makes the checks that the order would make', async () => {
    const wrong = configFor(t, bmcs, 'canary-wrong')
    const args = ['fence', 'off', 'a', '--dry-run', '--config', wrong, '--socket', '/nowhere/s']
    const { code, out, err } = await picket(args)
    assert.equal(code, 1)
    assert.match(out, /a\/1\/1 could not fence now: .*refused our password/)
    assert.match(err, /No level could be used now: a\/1\/1, a\/2\/1 would not fence/)
    assert.doesNotMatch(out + err, /canary/)
  })
  for (const bmc of bmcs) assert.deepEqual(bmc.commands(), [])
})

test('no mistake of any kind makes status say off', async (t) => {
  const dir = folder(t, {
    'bad.yaml': 'cluster: 5\n',
    'ok.yaml': 'cluster: {name: x, nodes: [{name: a}]}\n',
  })
  const calls: readonly (readonly string[])[] = [
    ['fence', 'status'],
    ['fence', 'status', 'a', '--bogus'],
    ['fence', '--bogus', 'status', 'a'],
    ['fence', 'status', 'a', 'b', 'c'],
    ['fence', 'status', 'a', '--config'],
    ['fence', 'status', 'a', '--config', `${dir}/none.yaml`],
    ['fence', 'status', 'a', '--config', `${dir}/bad.yaml`],
    ['fence', 'status', 'a', '--config', dir],
    ['fence', 'status', 'b', '--config', `${dir}/ok.yaml`],
    ['fence', 'status', 'a', '--config', `${dir}/ok.yaml`],
  ]
  for (const args of calls) {
    const { code, err, out } = await picket(args)
    assert.equal(code, 1, args.join(' '))
    assert.ok((err + out).length > 0)
  }
})

test('a wrong configuration ends the others with 2', async (t) => {
  const dir = folder(t, {
    'bad.yaml': 'cluster: 5\n',
    'ok.yaml': 'cluster: {name: x, nodes: [{name: a}]}\n',
  })
  const calls: readonly (readonly string[])[] = [
    ['config', 'check', `${dir}/bad.yaml`],
    ['config', 'show', `${dir}/bad.yaml`],
    ['fence', 'check', '--config', `${dir}/bad.yaml`],
    ['fence', 'check', 'aa', '--config', `${dir}/ok.yaml`],
    ['fence', 'off', 'a', '--dry-run', '--config', `${dir}/bad.yaml`],
  ]
  for (const args of calls) {
    const { code, err } = await picket(args)
    assert.equal(code, 2, args.join(' '))
    assert.match(err, /bad\.yaml:1:10: cluster is 5; write a map|Did you mean a\?/)
  }
})
