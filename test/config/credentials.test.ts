/** F12: secrets that systemd hands to picketd: `password_credential: NAME`, and the whole file. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { effectiveYaml } from '../../src/config/show.ts'
import { folder, load, problemsOf } from './files.ts'

const config = `cluster:
  name: test
  nodes:
    - { name: a, fence: {driver: ipmi, host: 10.0.0.1, user: u, password_credential: bmc} }
`

/** A directory of credentials as systemd makes it, and the environment that names it. */
function given(t: TestContext, credentials: Readonly<Record<string, string | Buffer>>) {
  const directory = folder(t, credentials)
  for (const name of Object.keys(credentials)) chmodSync(join(directory, name), 0o400)
  return { directory, env: { CREDENTIALS_DIRECTORY: directory } }
}

const values: readonly (readonly [what: string, content: string, password: string])[] = [
  ['without a newline', 'canary-7', 'canary-7'],
  ['with the newline of an editor', 'canary-7\n', 'canary-7'],
  ['with the newline of Windows', 'canary-7\r\n', 'canary-7'],
  ['with a newline of its own', 'canary-7\n\n', 'canary-7\n'],
  ['with blanks, which may be meant', ' canary 7 ', ' canary 7 '],
]

for (const [what, content, password] of values) {
  test(`F12 a secret may come from a credential ${what}`, async (t) => {
    const { env, directory } = given(t, { bmc: content })
    const loaded = await load(t, { config }, { env })
    const options = loaded.devices.get('a/1/1')?.options
    assert.equal(options?.password, password)
    assert.equal('password_credential' in (options ?? {}), false)
    assert.deepEqual(loaded.secretsFiles, [join(directory, 'bmc')])
    assert.doesNotMatch(effectiveYaml(loaded), /canary/)
  })
}

test('F12 a credential may also be named in the secrets file, for all or for one node', async (t) => {
  const { env } = given(t, { shared: 'canary-7', own: 'canary-8' })
  const plain = config.replace(', password_credential: bmc', '')
  const more = `${plain}    - { name: b, fence: {driver: ipmi, host: 10.0.0.2, user: u} }\n`
  const secrets = 'ipmi: { password_credential: shared, b: { password_credential: own } }\n'
  const { devices } = await load(t, { config: more, secrets }, { env })
  assert.equal(devices.get('a/1/1')?.options.password, 'canary-7')
  assert.equal(devices.get('b/1/1')?.options.password, 'canary-8')
})

test('F12 without any credential the sentence says what mends it', async (t) => {
  for (const env of [{}, { CREDENTIALS_DIRECTORY: '' }]) {
    assert.deepEqual(await problemsOf(t, { config }, { env }), [
      'config.yaml:4:65: password_credential names the credential bmc, and systemd has given this ' +
        'program none (CREDENTIALS_DIRECTORY is not set): add LoadCredential=bmc:FILE to ' +
        'picketd.service, or outside of it set ' +
        'CREDENTIALS_DIRECTORY=/run/credentials/picketd.service',
    ])
  }
})

test('F12 a credential that is not there is named, with the line that gives it', async (t) => {
  const { env } = given(t, { other: 'canary-7' })
  assert.deepEqual(await problemsOf(t, { config }, { env }), [
    'config.yaml:4:65: there is no credential bmc, which password_credential names: add ' +
      'LoadCredential=bmc:FILE to picketd.service',
  ])
})

const unusable: readonly (readonly [what: string, content: string | Buffer, why: RegExp])[] = [
  ['empty', '', /the credential bmc, which password_credential names, is empty$/],
  ['only a newline', '\n', /the credential bmc, which password_credential names, is empty$/],
  ['too large', 'canary-7'.repeat(8193), /bmc: this is larger than 64 KiB$/],
  ['not UTF-8', Buffer.from([0x63, 0xe4, 0x20]), /bmc: this is not UTF-8 text/],
]

for (const [what, content, why] of unusable) {
  test(`F12 a credential that is ${what} is refused, and not repeated`, async (t) => {
    const { env } = given(t, { bmc: content })
    const problems = await problemsOf(t, { config }, { env })
    assert.equal(problems.length, 1, problems.join('\n'))
    assert.match(problems[0] ?? '', why)
    assert.match(problems[0] ?? '', /^config\.yaml:4:65: /)
    assert.doesNotMatch(problems[0] ?? '', /canary/)
  })
}

test('F12 a credential of the largest size is read', async (t) => {
  const { env } = given(t, { bmc: 'x'.repeat(64 << 10) })
  // Too long for IPMI, which is said only of a password that was read.
  const problems = await problemsOf(t, { config }, { env })
  assert.match(problems.join('\n'), /password \(secret\) is longer than the 20 bytes/)
})

test('F12 a credential that others may read, or that is no file, is refused', async (t) => {
  const { env, directory } = given(t, { bmc: 'canary-7' })
  chmodSync(join(directory, 'bmc'), 0o444)
  const lax = await problemsOf(t, { config }, { env })
  assert.match(lax.join('\n'), /the credential bmc, .*mode 0444, which is laxer than 0600: chmod/)
  mkdirSync(join(directory, 'folder'))
  const named = config.replace('credential: bmc', 'credential: folder')
  assert.match((await problemsOf(t, { config: named }, { env })).join('\n'), /is a directory/)
})

const paths = [
  ...['../bmc', '..', '.', '/etc/shadow', 'a/b', 'a\\0b', '', '-x', '.hidden', 'ä', 'a b'],
  'x'.repeat(129),
]

for (const name of [...paths, 7, null, ['bmc'], { bmc: 1 }]) {
  const written = typeof name === 'string' ? `"${name}"` : JSON.stringify(name)
  test(`F12 ${written.slice(0, 20)} is no name of a credential`, async (t) => {
    const { directory } = given(t, { bmc: 'canary-7' })
    mkdirSync(join(directory, 'inner'))
    const env = { CREDENTIALS_DIRECTORY: join(directory, 'inner') }
    const problems = await problemsOf(
      t,
      { config: config.replace('credential: bmc', `credential: ${written}`) },
      { env },
    )
    assert.deepEqual(problems, [
      'config.yaml:4:65: write the name of a systemd credential (letters, digits, `.`, `_` and ' +
        '`-`; no path) in password_credential',
    ])
  })
}

const clash = 'keep one of them, or write the same one in both places'
const clashes: readonly (readonly [what: string, options: string, problem: string])[] = [
  [
    'a variable beside it',
    'password_env: X, password_credential: bmc',
    `config.yaml:4:82: password_credential says again what password_env says at config.yaml:4:65; ${clash}`,
  ],
  [
    'it beside a variable',
    'password_credential: bmc, password_env: X',
    `config.yaml:4:91: password_env says again what password_credential says at config.yaml:4:65; ${clash}`,
  ],
]

for (const [what, options, problem] of clashes) {
  test(`F12 one secret has one origin: ${what}`, async (t) => {
    const { env } = given(t, { bmc: 'canary-7' })
    const both = config.replace('password_credential: bmc', options)
    const problems = await problemsOf(t, { config: both }, { env: { ...env, X: 'canary-8' } })
    assert.deepEqual(problems, [problem])
  })
}

test('F12 a forgotten password in the secrets file does not win over a credential', async (t) => {
  const { env } = given(t, { bmc: 'canary-7' })
  for (const secrets of ['ipmi: { password: old }\n', 'ipmi: { a: { password: old } }\n']) {
    const column = secrets.indexOf('password') + 1
    assert.deepEqual(await problemsOf(t, { config, secrets }, { env }), [
      `fence-secrets.yaml:1:${column}: password says again what password_credential says at ` +
        `config.yaml:4:65; ${clash}`,
    ])
  }
})

test('F12 only a secret may come from a credential, and its name has help', async (t) => {
  const { env } = given(t, { bmc: 'canary-7' })
  const wrong = config.replace('user: u,', 'user_credential: bmc, pasword_credential: bmc,')
  assert.deepEqual(await problemsOf(t, { config: wrong }, { env }), [
    'config.yaml:4:56: user is no secret; write user itself',
    'config.yaml:4:78: ipmi has no option pasword_credential. Did you mean password_credential?',
  ])
})

test('F12 the credential fence-secrets stands for the secrets file', async (t) => {
  const plain = config.replace(', user: u, password_credential: bmc', '')
  const { env, directory } = given(t, { 'fence-secrets': 'ipmi: { user: u, password: new }\n' })
  const { devices, secretsFiles } = await load(t, { config: plain }, { env })
  assert.equal(devices.get('a/1/1')?.options.password, 'new')
  assert.deepEqual(secretsFiles, [join(directory, 'fence-secrets')])

  // The file that it was made of may still lie there.
  const secrets = 'ipmi: { user: u, password: old }\n'
  const both = await load(t, { config: plain, secrets }, { env })
  assert.equal(both.devices.get('a/1/1')?.options.password, 'new')
  const without = await load(t, { config: plain, secrets }, given(t, {}))
  assert.equal(without.devices.get('a/1/1')?.options.password, 'old')
})

test('F12 a mistake in the credential fence-secrets has its place, and no value', async (t) => {
  const { env } = given(t, { 'fence-secrets': 'ipmi: { user: u, pasword: canary-7 }\n' })
  const plain = config.replace(', user: u, password_credential: bmc', '')
  const problems = (await problemsOf(t, { config: plain }, { env })).join('\n')
  assert.match(problems, /fence-secrets:1:18: ipmi has no option pasword. Did you mean password\?/)
  assert.doesNotMatch(problems, /canary/)
})

test('F12 another content of a credential is another secret, and the same configuration', async (t) => {
  const { env, directory } = given(t, { bmc: 'canary-7' })
  const dir = folder(t, { 'config.yaml': config })
  const first = await loadConfig(join(dir, 'config.yaml'), { env })
  chmodSync(join(directory, 'bmc'), 0o600)
  writeFileSync(join(directory, 'bmc'), 'canary-8')
  const second = await loadConfig(join(dir, 'config.yaml'), { env })
  assert.ok(first.ok && second.ok)
  assert.equal(second.loaded.devices.get('a/1/1')?.options.password, 'canary-8')
  assert.equal(second.loaded.core.hash, first.loaded.core.hash)
})

test('F12 secrets that are a map stand in the secrets file alone', async (t) => {
  const { env } = given(t, { bmc: 'canary-7' })
  const agent = (option: string) =>
    config.replace(/fence: .*}/, `fence: {driver: agent, agent: fence_apc, ${option}} }`)
  assert.deepEqual(
    await problemsOf(t, { config: agent('secret_options_credential: bmc') }, { env }),
    ['config.yaml:4:59: secret_options is a map; write it in the secrets file'],
  )
  assert.deepEqual(await problemsOf(t, { config: agent('secret_options: {a: canary-7}') }), [
    'config.yaml:4:59: secret_options is a secret and may not stand in this file; write it in ' +
      'the secrets file fence-secrets.yaml',
  ])
})
