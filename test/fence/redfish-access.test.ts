/** Who the `redfish` driver says it is, to whom, and what its options may be. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDevice } from '../../src/fence/device.ts'
import { redfish } from '../../src/fence/drivers/redfish.ts'
import { sameIdentity } from '../../src/fence/identity.ts'
import { httpStand } from './http-stand.ts'
import { operator, reader } from './redfish-double.ts'
import { idrac, xcc } from './redfish-profiles.ts'
import { basicLogin, on, problemsOf } from './redfish-stand.ts'

const ask = { timeoutMs: 5_000 }

test('F10 verify says who we are there, and that a role which may only read is too little', () =>
  on(idrac, async (double, device) => {
    const found = await device().identify(ask)
    assert.equal(found.ok, true, found.detail)
    assert.ok(sameIdentity(found.identity ?? '', idrac.systems[0]?.uuid ?? ''))
    assert.match(found.detail, /lets picket in as Operator, system System.Embedded.1 is on/)
    const poor = device({ user: reader.user, password: reader.password })
    assert.match(
      (await poor.identify(ask)).detail,
      /may not do this \(reader has the role ReadOnly/,
    )
    const pressed = await poor.off(ask)
    assert.equal(pressed.outcome, 'refused')
    assert.match(pressed.detail, /InsufficientPrivilege/)
    const wrong = await device({ password: 'wrong' }).identify(ask)
    assert.match(wrong.detail, /refused our password/)
    assert.equal(double.power(), 'on')
  }))

test('F11 a BMC that repeats our login in its errors is not repeated', async () => {
  for (const auth of ['basic', 'session']) {
    await on(xcc, async (double, device) => {
      double.quirks.echoes = true
      double.quirks.refuses = { status: 400, messageId: 'Base.1.8.GeneralError' }
      const { detail, outcome } = await device({ auth }).off(ask)
      assert.equal(outcome, 'refused')
      assert.match(detail, /GeneralError/)
      for (const secret of [operator.password, basicLogin, 'token-canary']) {
        assert.ok(!detail.includes(secret))
      }
      assert.equal(double.power(), 'on')
    })
  }
})

test('F11 a redirect or a link that leads away is not followed, and no login goes there', async () => {
  for (const auth of ['basic', 'session']) {
    for (const from of [0, 1, 2, 3]) {
      await on(xcc, async (double, device) => {
        double.transport.fail('redirect elsewhere', from)
        const pressed = await device({ auth }).off(ask)
        assert.notEqual(pressed.outcome, 'accepted')
        assert.match(pressed.detail, /a redirect to http:/)
        assert.equal(double.transport.overheard(), '')
        assert.equal(double.power(), 'on')
      })
    }
  }
  const other = await httpStand(() => ({ status: 200, body: {} }))
  const Systems = { '@odata.id': `${other.url}/redfish/v1/Systems` }
  const liar = await httpStand(() => ({ status: 200, body: { Systems } }))
  try {
    const { user, password } = operator
    const { url, fingerprint } = liar
    const options = { url, fingerprint, user, password }
    const pressed = await openDevice({ id: 'a/1/1', driver: redfish, options }).off(ask)
    assert.equal(pressed.outcome, 'refused')
    assert.match(pressed.detail, /leads away from it/)
    assert.equal(other.requests(), 0)
  } finally {
    await Promise.all([other.close(), liar.close()])
  }
})

test('what the options may be', () => {
  const login = { user: 'u', password: 'p' }
  for (const right of [
    { host: '192.0.2.7' },
    { host: 'fd00::7', port: 8443 },
    { url: 'https://bmc.example/redfish/v1/' },
  ]) {
    assert.equal(problemsOf({ ...login, ...right }), '', JSON.stringify(right))
  }
  const endpoint = (at: object) => redfish.endpoint(redfish.options.parse({ ...login, ...at }))
  assert.equal(endpoint({ host: 'fd00::7', port: 8443 }), '[fd00::7]:8443')
  assert.equal(endpoint({ host: 'BMC' }), endpoint({ url: 'https://bmc:443/' }))
  assert.match(problemsOf(login), /set nowhere; write host, or url instead/)
  assert.match(
    problemsOf({ ...login, host: 'a', url: 'https://a' }),
    /url as well; keep one of them/,
  )
  assert.match(problemsOf({ ...login, url: 'https://a', port: 1 }), /port goes with host/)
  assert.match(problemsOf({ ...login, url: 'http://a' }), /not an https URL/)
  assert.match(problemsOf({ ...login, url: 'https://u:p@a' }), /holds a login/)
  assert.match(problemsOf({ ...login, url: 'https://a/bmc7' }), /has a path/)
  assert.match(problemsOf({ ...login, host: 'a/b' }), /not an address/)
  assert.match(problemsOf({ ...login, host: 'a', user: 'u:v' }), /colon/)
})
