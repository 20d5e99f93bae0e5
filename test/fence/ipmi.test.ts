import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Device, openDevice, type PowerRead } from '../../src/fence/device.ts'
import { ipmi } from '../../src/fence/drivers/ipmi.ts'
import { FenceError } from '../../src/fence/errors.ts'
import { canonicalIdentity } from '../../src/fence/identity.ts'
import type { Wire } from '../../src/fence/wire.ts'
import { admin, type Bmc, freePort, guid, noBmc, startBmc } from './ipmi-sim.ts'

const ask = { timeoutMs: 8000 }
let bmc: Bmc

before(async () => {
  if (!noBmc) bmc = await startBmc()
})
after(() => bmc?.stop())

type Via = 'native' | 'ipmitool'

interface Changes {
  readonly [option: string]: unknown
}

function device(changes: Changes = {}, identity?: string): Device {
  const { name: user, password } = admin
  const options = { host: '127.0.0.1', port: bmc?.port ?? 1, user, password, ...changes }
  return openDevice({ id: 'web-02/1/1', driver: ipmi, options, identity })
}

/** A BMC back to normal, with the power on. */
function fresh(via: Via): Device {
  bmc.setMode('obey')
  bmc.setPower('on')
  return device({ via })
}

/** A test for each way to speak to a BMC. */
function both(title: string, work: (via: Via) => Promise<void>): void {
  for (const via of ['native', 'ipmitool'] as const) {
    test(`${title} (${via})`, { skip: noBmc }, () => work(via))
  }
}

async function readUntil(target: Device, power: PowerRead['power']): Promise<PowerRead> {
  const deadlineMs = performance.now() + 10_000
  for (;;) {
    const read = await target.read(ask)
    if (read.power === power || performance.now() > deadlineMs) return read
    await sleep(20)
  }
}

both(
  'F1 a real BMC is switched off and on, and read back, with its GUID in each answer',
  async (via) => {
    const target = fresh(via)
    const identity = canonicalIdentity(guid)
    assert.deepEqual(await target.read(ask), { power: 'on', raw: 'Chassis Power is on', identity })
    assert.equal((await target.off(ask)).outcome, 'accepted')
    assert.equal(bmc.power(), 'off')
    assert.deepEqual(await target.read(ask), {
      power: 'off',
      raw: 'Chassis Power is off',
      identity,
    })
    assert.equal((await target.on(ask)).outcome, 'accepted')
    assert.equal(bmc.power(), 'on')
  },
)

both('F3 off when it is off already is accepted', async (via) => {
  const target = fresh(via)
  bmc.setPower('off')
  assert.equal((await target.off(ask)).outcome, 'accepted')
  assert.equal((await target.read(ask)).power, 'off')
})

both('F10 verify tells identity and privilege, and presses nothing', async (via) => {
  const target = fresh(via)
  const pressedBefore = bmc.commands().length
  const { ok, identity, detail } = await target.identify(ask)
  assert.deepEqual([ok, identity], [true, canonicalIdentity(guid)])
  assert.match(detail, /lets admin in as operator over cipher suite 3, power is on/)
  assert.equal(bmc.commands().length, pressedBefore)
})

both('F2 an accepted off that comes late reads as on until it has come', async (via) => {
  const target = fresh(via)
  bmc.setMode({ lateMs: 700 })
  assert.equal((await target.off(ask)).outcome, 'accepted')
  assert.equal((await target.read(ask)).power, 'on')
  assert.equal((await readUntil(target, 'off')).power, 'off')
})

both('F2 an accepted off that is ignored never reads as off', async (via) => {
  const target = fresh(via)
  bmc.setMode('ignore')
  assert.equal((await target.off(ask)).outcome, 'accepted')
  for (let read = 0; read < 5; read++) assert.equal((await target.read(ask)).power, 'on')
})

both('an off that the BMC refuses is told as refused, in its own words', async (via) => {
  const target = fresh(via)
  bmc.setMode('refuse')
  const { outcome, detail } = await target.off(ask)
  assert.equal(outcome, 'refused')
  assert.match(detail, /refused the command \("Unspecified error"\)/)
})

both(
  'F3 a BMC that hangs past the deadline is no off, and leaves the power unknown',
  async (via) => {
    const target = fresh(via)
    bmc.hang()
    try {
      const startedMs = performance.now()
      const off = await target.off({ timeoutMs: 600 })
      const read = await target.read({ timeoutMs: 600 })
      // What ipmitool has done by then nobody knows; our own login was not answered.
      assert.equal(off.outcome, via === 'native' ? 'refused' : 'unknown')
      assert.match(off.detail, /did not answer in time/)
      assert.equal(read.power, 'unknown')
      assert.ok(performance.now() - startedMs < 5000)
    } finally {
      bmc.wake()
    }
    assert.equal((await readUntil(target, 'on')).power, 'on')
  },
)

both('each way to fail is an error of its own, and presses nothing', async (via) => {
  fresh(via)
  const pressedBefore = bmc.commands().length
  const port = await freePort()
  const failures: [string, Device, RegExp][] = [
    ['password', device({ via, password: 'wrong' }), /knows the user, but with another password/],
    ['user', device({ via, user: 'nobody' }), /lets no such user in/],
    ['dead port', device({ via, port }), /nothing answers there|ECONNREFUSED/],
    ['no name', device({ via, host: 'no-such-host.invalid' }), /name.* cannot be resolved/],
    ['cipher', device({ via, cipher: 17 }), /does not know this cipher suite/],
  ]
  const details = new Set<string>()
  for (const [what, target, expected] of failures) {
    const { outcome, detail } = await target.off(ask)
    assert.match(detail, expected)
    assert.equal(outcome, 'refused', what)
    const read = await target.read(ask)
    assert.equal(read.power, 'unknown', what)
    assert.match(read.detail ?? '', expected)
    details.add(detail.replace(/\d+/g, ''))
  }
  assert.equal(details.size, failures.length)
  assert.equal(bmc.commands().length, pressedBefore)
})

both('too little privilege for an off is told as such', async (via) => {
  fresh(via)
  // The simulator grants every level that is asked for, so we ask for one that may not press.
  const { name: user, password } = admin
  const options = ipmi.options.parse({ host: '127.0.0.1', port: bmc.port, user, password })
  const driver = {
    ...ipmi,
    powerOff: (_: unknown, wire: Wire) =>
      ipmi.powerOff({ ...options, privilege: 'user' as 'operator' }, wire),
  }
  const target = openDevice({ id: 'web-02/1/1', driver, options })
  const { outcome, detail } = await target.off(ask)
  assert.equal(outcome, 'refused')
  assert.match(detail, /our user may not do this .* OPERATOR/)
})

both('S15 a BMC with another GUID is neither pressed nor believed', async (via) => {
  fresh(via)
  const pressedBefore = bmc.commands().length
  const target = device({ via }, '4c4c4544-0051-3710-8052-b4c04f4d3132')
  const off = await target.off(ask)
  assert.equal(off.outcome, 'refused')
  assert.match(off.detail, /not the device that the config names/)
  const read = await target.read(ask)
  assert.deepEqual([read.power, read.identity], ['unknown', canonicalIdentity(guid)])
  assert.equal((await target.identify(ask)).ok, false)
  assert.equal(bmc.commands().length, pressedBefore)
})

both('S15 the GUID as `ipmitool mc guid` writes it is the same BMC', async (via) => {
  fresh(via)
  const target = device({ via }, 'efcdab89-6745-23a1-efcd-ab89674523a1')
  assert.equal((await target.off(ask)).outcome, 'accepted')
  assert.equal((await target.read(ask)).power, 'off')
})

both(
  'F11 the password is in no argument, no answer, and no environment but of ipmitool',
  async (via) => {
    const target = fresh(via)
    const found: string[] = []
    let sampled = 0
    let done = false
    const sampling = (async () => {
      while (!done) {
        for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
          const { cmdline, environ, parent } = peek(pid)
          if (cmdline.startsWith('ipmitool\0') && parent === process.pid) sampled += 1
          if (cmdline.includes(admin.password)) found.push(cmdline)
          // What has ended in between has no words any more: nobody can say what it was.
          const other = cmdline !== '' && !/^ipmitool\0/.test(cmdline)
          if (environ.includes(admin.password) && other) found.push(cmdline)
        }
        await sleep(1)
      }
    })()
    const answers: unknown[] = []
    for (let round = 0; round < 5; round++) {
      answers.push(await target.identify(ask), await target.read(ask), await target.off(ask))
    }
    answers.push(await device({ via, password: `${admin.password}x` }).read(ask))
    done = true
    await sampling
    assert.equal(sampled > 0, via === 'ipmitool', `ipmitool was seen ${sampled} times`)
    assert.deepEqual(found, [])
    assert.ok(!JSON.stringify(answers).includes(admin.password))
  },
)

test('a password that IPMI cannot hold is refused before anything is sent', () => {
  const password = 'long-canary-of-21-byt'
  assert.throws(
    () => device({ password }),
    (error) => {
      assert.ok(error instanceof FenceError)
      assert.match(error.message, /password is longer than the 20 bytes/)
      assert.ok(!error.message.includes(password))
      return true
    },
  )
  assert.throws(() => device({ password: 'ü'.repeat(11) }), /longer than the 20 bytes/)
})

test('a host that would be an option of ipmitool is refused', () => {
  for (const host of ['-v', '', 'a b']) assert.throws(() => device({ host }), /host/)
})

function peek(pid: string): { cmdline: string; environ: string; parent: number } {
  try {
    const read = (name: string): string => readFileSync(`/proc/${pid}/${name}`, 'utf8')
    // In this order: a process that becomes ipmitool in between is then judged as ipmitool.
    const environ = read('environ')
    const parent = Number(/^PPid:\s*(\d+)/m.exec(read('status'))?.[1])
    return { cmdline: read('cmdline'), environ, parent }
  } catch {
    return { cmdline: '', environ: '', parent: 0 }
  }
}
