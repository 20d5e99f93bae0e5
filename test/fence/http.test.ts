/** The `http` driver: the contract on a double with a web interface, and what its config means. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openDevice } from '../../src/fence/device.ts'
import { http } from '../../src/fence/drivers/http.ts'
import { bmc, expired } from './certificates.ts'
import { contract, type Fault, type Stand } from './contract.ts'
import { httpStand } from './http-stand.ts'

const token = 'tok-canary-0815/+'
const identity = 'plug-7f3a'

/** A socket outlet with a small JSON interface, behind a token. */
async function start(): Promise<Stand> {
  let power: 'on' | 'off' = 'on'
  let raw: string | undefined
  let fault: Fault | undefined
  const transport = await httpStand(({ method, path, headers }) => {
    if (headers.authorization !== `Bearer ${token}`) return { status: 401 }
    if (method === 'GET' && path === '/plug/state') {
      const id = fault === 'another identity' ? 'plug-0000' : identity
      return { status: 200, body: { id, relay: { state: raw ?? power } } }
    }
    if (method !== 'POST') return { status: 404 }
    raw = undefined
    const wanted = path.endsWith('/off') ? 'off' : 'on'
    const apply = () => (power = wanted)
    if (fault === 'late') setTimeout(apply, 300)
    else if (fault !== 'ignored') apply()
    if (fault === 'comes back on') setTimeout(() => (power = 'on'), 200)
    return { status: 202, body: { accepted: true } }
  })
  const folder = mkdtempSync(join(tmpdir(), 'picket-http-'))
  // Both are trusted, so that the expired one is refused for its date.
  const ca_file = join(folder, 'ca.pem')
  writeFileSync(ca_file, `${bmc.cert}${expired.cert}`)
  return {
    over: 'https',
    options: {
      url: `${transport.url}/plug`,
      token,
      ca_file,
      off: { path: '/off' },
      on: { path: '/on' },
      status: {
        path: '/state',
        pointer: '/relay/state',
        identity: '/id',
        off: ['off'],
        on: ['on'],
      },
    },
    secrets: [token],
    identity,
    power: () => power,
    setPower(wanted) {
      power = wanted
      raw = undefined
    },
    between: ['stopping', 'OFF', 'off ', 'unknown', '', 'null', 'standby', '0', 'turning off'],
    setBetween: (text) => (raw = text),
    fail(wanted, from) {
      fault = wanted
      return (
        transport.fail(wanted, from) ||
        ['ignored', 'late', 'comes back on', 'another identity'].includes(wanted)
      )
    },
    mend() {
      fault = undefined
      transport.mend()
    },
    requests: transport.requests,
    offs: () => transport.arrived().filter((call) => call === 'POST /plug/off').length,
    overheard: transport.overheard,
    async close() {
      await transport.close()
      rmSync(folder, { recursive: true })
    },
  }
}

contract(http, start)

const rule = { off: ['off'], on: ['on'] }
const plain = { url: 'https://plug.example', off: {}, on: {}, status: rule }
const problemsOf = (changes: object): string =>
  http.options
    .safeParse({ ...plain, ...changes })
    .error?.issues.map(({ message }) => message)
    .join() ?? ''

test('F2 an http device without a status rule is refused, and one value cannot mean both', () => {
  assert.equal(problemsOf({}), '')
  assert.notEqual(problemsOf({ status: undefined }), '')
  assert.notEqual(problemsOf({ status: { off: ['off'] } }), '')
  assert.match(problemsOf({ status: { off: ['0'], on: ['1', '0'] } }), /means both off and on/)
  assert.match(problemsOf({ url: 'https://me:secret@plug.example' }), /holds a login/)
  assert.match(problemsOf({ url: 'ftp://plug.example' }), /not an http or https URL/)
  assert.match(problemsOf({ status: { ...rule, pointer: 'power' } }), /not a JSON pointer/)
})

test('what is sent: login, key, signature, body', async () => {
  const seen: { headers: Record<string, unknown>; body: string; path: string }[] = []
  const transport = await httpStand(({ headers, body, path }) => {
    seen.push({ headers, body, path })
    return { status: 200, body: 'on\n' }
  })
  const common = { url: transport.url, status: rule, on: {}, fingerprint: transport.fingerprint }
  const off = { method: 'PUT', path: '/x?y=1', body: '{"on":false}', headers: { 'X-More': 'm' } }
  const device = openDevice({
    id: 'a/1/1',
    driver: http,
    options: { ...common, off, user: 'u', password: 'p', api_key: 'k', hmac_secret: 's' },
  })
  try {
    assert.equal((await device.off({ timeoutMs: 2_000 })).outcome, 'accepted')
    assert.equal((await device.read({ timeoutMs: 2_000 })).power, 'on')
    const [call] = seen
    assert.equal(call?.path, '/x')
    assert.equal(call?.body, '{"on":false}')
    assert.equal(call?.headers.authorization, `Basic ${Buffer.from('u:p').toString('base64')}`)
    assert.equal(call?.headers['x-api-key'], 'k')
    assert.equal(call?.headers['x-more'], 'm')
    const signature = createHmac('sha256', 's').update('{"on":false}').digest('hex')
    assert.equal(call?.headers['x-signature'], signature)
  } finally {
    await transport.close()
  }
})

const secretLooking = [
  ...['Authorization', 'proxy-authorization', 'Cookie', 'X-API-Key', 'apikey', 'X-Auth-Token'],
  ...['X-Vendor-Token', 'X-Client-Secret', 'X-Password', 'x-passwd'],
]

test('F12 a header that looks like a secret belongs into secret_headers', () => {
  for (const name of secretLooking) {
    for (const where of ['off', 'on', 'status']) {
      const base = where === 'status' ? rule : {}
      const said = problemsOf({ [where]: { ...base, headers: { [name]: 'canary' } } })
      assert.match(said, /secret_headers, in the secrets file/, `${where} ${name}`)
      assert.doesNotMatch(said, /canary/)
    }
    assert.equal(problemsOf({ secret_headers: { [name]: 'canary' } }), '', name)
  }
  assert.match(problemsOf({ off: { headers: { 'X-Any': 'Bearer canary' } } }), /secret_headers/)
  assert.equal(problemsOf({ off: { headers: { Accept: 'text/plain', 'X-More': 'm' } } }), '')
})

test('a header is set by one option alone', () => {
  const own = { secret_headers: { Authorization: 'Digest x' } }
  assert.match(problemsOf({ ...own, token: 't' }), /authorization is set by another option too/)
  assert.match(problemsOf({ ...own, user: 'u' }), /authorization is set by another option too/)
  const more = { secret_headers: { 'x-more': 'n' }, off: { headers: { 'X-More': 'm' } } }
  assert.match(problemsOf(more), /x-more is set by another option too/)
  assert.equal(problemsOf({ ...own, api_key: 'k' }), '')
})

test('F11 secret headers go with every request, and are in no sentence', async () => {
  const canary = 'canary-4711/+'
  const seen: unknown[] = []
  const transport = await httpStand(({ headers }) => {
    seen.push(headers['x-vendor-token'])
    return { status: 403, body: `no right for ${String(headers['x-vendor-token'])}` }
  })
  const device = openDevice({
    id: 'a/1/1',
    driver: http,
    options: {
      ...{ ...plain, url: transport.url, fingerprint: transport.fingerprint },
      secret_headers: { 'X-Vendor-Token': canary },
    },
  })
  const ask = { timeoutMs: 2_000 }
  try {
    const said = [await device.off(ask), await device.on(ask), await device.read(ask)]
    assert.deepEqual(seen, [canary, canary, canary])
    assert.match(said[0]?.detail ?? '', /no right for \*+/)
    assert.doesNotMatch(JSON.stringify([...said, await device.identify(ask)]), /canary/)
  } finally {
    await transport.close()
  }
})

test('the first contact tells the fingerprint of a certificate that nobody looks at', async () => {
  const transport = await httpStand(() => ({ status: 200, body: 'on' }))
  const told = async (tls: object) => {
    const options = { ...plain, url: transport.url, ...tls }
    return openDevice({ id: 'a/1/1', driver: http, options }).identify({ timeoutMs: 2_000 })
  }
  try {
    const { ok, detail } = await told({ verify_ssl: false })
    assert.equal(ok, true, detail)
    assert.ok(detail.endsWith(`pin the fingerprint ${transport.fingerprint}`), detail)
    const pinned = await told({ verify_ssl: false, fingerprint: transport.fingerprint })
    assert.equal(pinned.ok, true)
    assert.doesNotMatch(pinned.detail, /fingerprint/)
  } finally {
    await transport.close()
  }
})

test('F11 a device that echoes our login is told without it, also where it is cut', async () => {
  const password = 'canary-of-a-long-password-0123456789'
  const basic = Buffer.from(`u:${password}`).toString('base64')
  const bodies = [`Authorization: Basic ${basic}`, `${'x'.repeat(60)}${password}`]
  for (const body of [...bodies, `${'x'.repeat(40)} Basic ${basic}`]) {
    const transport = await httpStand(() => ({ status: 400, body }))
    const { url, fingerprint } = transport
    const options = { ...plain, url, fingerprint, user: 'u', password }
    const device = openDevice({ id: 'a/1/1', driver: http, options })
    try {
      const pressed = await device.off({ timeoutMs: 2_000 })
      const { detail = '' } = await device.read({ timeoutMs: 2_000 })
      for (const told of [pressed.detail, detail]) {
        assert.ok(!told.includes(basic.slice(0, 8)), `the login is told: ${told}`)
        assert.ok(!told.includes(password.slice(0, 8)), `the password is told: ${told}`)
      }
    } finally {
      await transport.close()
    }
  }
})

test('a secret that no header can hold is said to be one, and nothing was sent', async () => {
  const options = { ...plain, url: 'https://127.0.0.1:9', token: 'canary\n', verify_ssl: false }
  const device = openDevice({ id: 'a/1/1', driver: http, options })
  const { outcome, detail } = await device.off({ timeoutMs: 2_000 })
  assert.equal(outcome, 'refused', detail)
  assert.match(detail, /the options of the device are wrong \(.*header/)
  assert.ok(!detail.includes('canary'))
})

test('C3 a file of certificates that is none does not hold the process', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'picket-http-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  // In another process: one that is held can end no test.
  const script = `
    import { tlsOf } from '${join(import.meta.dirname, '../../src/fence/drivers/https.ts')}'
    for (const ca_file of ['${pipe}', '/dev/zero']) {
      try { tlsOf({ ca_file, verify_ssl: true, legacy_tls: false }) }
      catch ({ message }) { console.log(message) }
    }`
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    timeout: 10_000,
    encoding: 'utf8',
  })
  assert.equal(said.match(/the options of the device are wrong/g)?.length, 2, said)
})
