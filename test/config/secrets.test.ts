/** F12: secrets stand apart, nobody else reads them, and no sentence repeats one. */
import assert from 'node:assert/strict'
import { chmodSync, chownSync, renameSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { problemText } from '../../src/config/problem.ts'
import { effectiveYaml } from '../../src/config/show.ts'
import { driverNames } from '../../src/fence/drivers/index.ts'
import { folder, load, problemsOf } from './files.ts'

const drivers = [...driverNames].sort().join(', ')

const config = `cluster:
  name: test
  nodes:
    - { name: a, fence: {driver: ipmi, host: 10.0.0.1} }
`
const secrets = `ipmi: { user: admin, password: canary-7 }\n`

const asRoot = process.getuid?.() === 0 ? false : 'needs root: sudo npm test'

for (const mode of [0o640, 0o604, 0o620, 0o660, 0o644, 0o700]) {
  const octal = `0${mode.toString(8)}`
  test(`F12 a secrets file of mode ${octal} is refused with what mends it`, async (t) => {
    const dir = folder(t, { 'config.yaml': config, 'fence-secrets.yaml': secrets })
    const file = join(dir, 'fence-secrets.yaml')
    chmodSync(file, mode)
    const result = await loadConfig(join(dir, 'config.yaml'))
    assert.ok(!result.ok)
    assert.ok(result.problems[0])
    assert.equal(
      problemText(result.problems[0]),
      `${file}: holds secrets and has mode ${octal}, which is laxer than 0600: chmod 0600 '${file}'`,
    )
  })
}

for (const mode of [0o600, 0o400]) {
  test(`F12 a secrets file of mode 0${mode.toString(8)} is read`, async (t) => {
    const dir = folder(t, { 'config.yaml': config, 'fence-secrets.yaml': secrets })
    chmodSync(join(dir, 'fence-secrets.yaml'), mode)
    const result = await loadConfig(join(dir, 'config.yaml'))
    assert.ok(result.ok)
    assert.deepEqual(result.loaded.secretsFiles, [join(dir, 'fence-secrets.yaml')])
  })
}

test("F12 root does not take another user's file for its secrets", { skip: asRoot }, async (t) => {
  const dir = folder(t, { 'config.yaml': config, 'fence-secrets.yaml': secrets })
  const file = join(dir, 'fence-secrets.yaml')
  chownSync(file, 65534, 65534)
  const result = await loadConfig(join(dir, 'config.yaml'))
  assert.ok(!result.ok)
  assert.match(result.problems[0]?.message ?? '', /owned by root, not by user 65534: chown root/)
})

test('F12 a secret in the main config is refused, and not repeated', async (t) => {
  const written = config.replace('10.0.0.1', '10.0.0.1, user: u, password: canary-7')
  const problems = await problemsOf(t, { config: written })
  assert.deepEqual(problems, [
    'config.yaml:4:65: password is a secret and may not stand in this file; write it in the ' +
      'secrets file fence-secrets.yaml, or password_env with the name of an environment variable, or ' +
      'password_credential with the name of a systemd credential',
  ])
})

test('F12 a secret in the section of a driver that no node uses is refused too', async (t) => {
  const written = `cluster: { name: test, nodes: [{ name: a }] }
fence: { drivers: { ipmi: { password: canary-7 } } }
`
  const problems = await problemsOf(t, { config: written })
  assert.match(problems.join('\n'), /^config\.yaml:2:29: password is a secret/)
  assert.doesNotMatch(problems.join('\n'), /canary/)
})

test('F12 a secret may come from an environment variable', async (t) => {
  const written = config.replace('10.0.0.1', '10.0.0.1, user: u, password_env: BMC_PASSWORD')
  const { devices } = await load(t, { config: written }, { env: { BMC_PASSWORD: 'canary-7' } })
  assert.equal(devices.get('a/1/1')?.options.password, 'canary-7')
  assert.equal('password_env' in (devices.get('a/1/1')?.options ?? {}), false)

  const unset = await problemsOf(t, { config: written }, { env: {} })
  assert.deepEqual(unset, [
    'config.yaml:4:65: the environment variable BMC_PASSWORD, which password_env names, is not ' +
      'set for this program',
  ])
})

test('F12 only secrets come from the environment, and from one place at a time', async (t) => {
  const problems = await problemsOf(t, {
    config: config.replace('10.0.0.1', '10.0.0.1, user_env: X, password_env: "no name"'),
    secrets: 'ipmi: { password: a, password_env: B, user: u }\n',
  })
  assert.deepEqual(problems, [
    'config.yaml:4:56: user is no secret; write user itself',
    'config.yaml:4:69: write the name of an environment variable in password_env',
    'fence-secrets.yaml:1:9: password says again what password_env says at config.yaml:4:69; ' +
      'keep one of them, or write the same one in both places',
    'fence-secrets.yaml:1:22: the environment variable B, which password_env names, is not set ' +
      'for this program',
    'fence-secrets.yaml:1:22: password_env says again what password says at ' +
      'fence-secrets.yaml:1:9; keep one of them, or write the same one in both places',
  ])
})

test('F12 a secrets file that the config names is found from the config, links and all', async (t) => {
  const named = `${config}fence: { drivers: { ipmi: { credentials_file: keys/bmc-secrets } } }\n`
  const dir = folder(t, { 'config.yaml': named, 'keys/bmc-secrets': secrets })
  const loaded = await loadConfig(join(dir, 'config.yaml'))
  assert.ok(loaded.ok)
  assert.deepEqual(loaded.loaded.secretsFiles, [join(dir, 'keys/bmc-secrets')])

  // The usual name as a link to the same file is the same file, and no second one.
  symlinkSync('keys/bmc-secrets', join(dir, 'fence-secrets.yaml'))
  const linked = await loadConfig(join(dir, 'config.yaml'))
  assert.ok(linked.ok)
  assert.equal(linked.loaded.secretsFiles.length, 1)

  renameSync(join(dir, 'keys/bmc-secrets'), join(dir, 'keys/moved'))
  const gone = await loadConfig(join(dir, 'config.yaml'))
  assert.ok(!gone.ok)
  assert.match(
    problemText(gone.problems[0] ?? { file: '', line: 0, column: 0, message: '' }),
    /config\.yaml:5:47: the secrets file .*bmc-secrets: there is no such file/,
  )
})

test('F12 nothing that stands in a secrets file is repeated, whatever is wrong with it', async (t) => {
  const broken = [
    'ipmi: { user: admin, password: canary-7 ',
    'ipmi: canary-7',
    '- canary-7',
    'ipmi: { user: admin, password: [canary-7] }',
    'ipmi: { user: admin, password: canary-7-canary-7-canary-7 }',
    'ipmi: { user: admin, password: canary-7, port: canary-7 }',
    'ipmi: { user: admin, password: canary-7, timeout_seconds: canary-7 }',
    '"a canary-7": *canary-7',
    'ipmi: { user: admin, password: canary-7, "x": "canary-7", a: canary-7 }',
    'ipmi: { user: admin, password_env: "canary-7 and more" }',
    '? [canary-7]\n: canary-7',
    'ipmi:\n  user: admin\n canary-7: x\n',
  ]
  for (const text of broken) {
    const problems = await problemsOf(t, { config, secrets: text })
    assert.ok(problems.length > 0)
    assert.match(problems.join('\n'), /fence-secrets\.yaml:\d+:\d+: /, text)
    assert.doesNotMatch(problems.join('\n'), /canary/, text)
  }
})

test('F12 secrets of a node or a driver that does not exist are an error', async (t) => {
  const problems = await problemsOf(t, {
    config,
    secrets: `${secrets.replace('}', ', b: { password: x } }')}ipmo: { password: x }\n`,
  })
  assert.deepEqual(problems, [
    'fence-secrets.yaml:1:43: there is no node b in this cluster, and ipmi has no such option.',
    `fence-secrets.yaml:2:1: there is no fence driver "ipmo"; there are: ${drivers}. Did you mean ipmi?`,
  ])
})

test('F12 secrets of one driver in two files are refused', async (t) => {
  const named = `${config}fence: { credentials_file: other-secrets }\n`
  const dir = folder(t, {
    'config.yaml': named,
    'other-secrets': secrets,
    'fence-secrets.yaml': secrets,
  })
  const result = await loadConfig(join(dir, 'config.yaml'))
  assert.ok(!result.ok)
  assert.match(result.problems[0]?.message ?? '', /secrets of ipmi are in .*other-secrets too/)
})

test('C4 what is in effect is shown without secrets', async (t) => {
  const loaded = await load(t, { config, secrets })
  const text = effectiveYaml(loaded)
  assert.doesNotMatch(text, /canary/)
  assert.match(text, /password: \(secret\)/)
  assert.match(text, /user: admin/)
  assert.match(text, /port: 623/)
  assert.match(text, /silent_seconds: 10/)
})

test('the digest of a configuration does not know its secrets', async (t) => {
  const one = await load(t, { config, secrets })
  const two = await load(t, { config, secrets: secrets.replace('canary-7', 'other') })
  const three = await load(t, { config, secrets: secrets.replace('admin', 'root') })
  assert.equal(one.core.hash, two.core.hash)
  assert.notEqual(one.core.hash, three.core.hash)
})

const plug = (step: string) => `cluster:
  name: test
  nodes:
    - { name: a, fence: { driver: http, url: "https://p.example", ${step} } }
`
const outlet = 'off: {}, on: {}, status: { off: ["0"], on: ["1"] }'

test('F12 a secret header of a request is refused in the config, and not repeated', async (t) => {
  const named = 'off: { headers: { Authorization: Bearer canary } }'
  const [problem, ...more] = await problemsOf(t, { config: plug(outlet.replace('off: {}', named)) })
  assert.deepEqual(more, [])
  assert.match(problem ?? '', /^config\.yaml:4:\d+: off\.headers\.Authorization: this looks like a/)
  assert.match(problem ?? '', /secret_headers, in the secrets file$/)
  assert.doesNotMatch(problem ?? '', /canary/)
})

test('F12 secret headers stand in the secrets file alone, and are not shown', async (t) => {
  const headers = 'secret_headers: { Authorization: Bearer canary }'
  const loaded = await load(t, { config: plug(outlet), secrets: `http: { ${headers} }\n` })
  assert.doesNotMatch(effectiveYaml(loaded), /canary/)
  const [problem] = await problemsOf(t, { config: plug(`${outlet}, ${headers}`) })
  assert.match(problem ?? '', /secret_headers is a secret and may not stand in this file/)
  assert.doesNotMatch(problem ?? '', /canary/)
})

test('F12 the sentence names the secrets file that the config names for the driver', async (t) => {
  const named = (fence: string) =>
    `${config.replace('10.0.0.1', '10.0.0.1, user: u, password: canary-7')}fence: { ${fence} }\n`
  const dir = folder(t, {
    ...{ 'one.yaml': named('credentials_file: keys/all-secrets'), 'keys/all-secrets': '' },
    ...{ 'two.yaml': named('drivers: { ipmi: { credentials_file: ipmi-secrets } }') },
    'ipmi-secrets': '',
  })
  for (const [file, expected] of [
    ['one.yaml', 'keys/all-secrets'],
    ['two.yaml', 'ipmi-secrets'],
  ] as const) {
    const result = await loadConfig(join(dir, file))
    assert.ok(!result.ok)
    const [first] = result.problems
    assert.ok(first?.message.includes(`write it in the secrets file ${join(dir, expected)}, or`))
  }
})

test('F12 a node in a secrets file that is misspelt is suggested', async (t) => {
  const written = config.replace('name: a', 'name: web-01')
  const [problem] = await problemsOf(t, {
    config: written,
    secrets: 'ipmi: { user: u, password: p, web-10: { host: x } }\n',
  })
  assert.match(problem ?? '', /there is no node web-10 in this cluster.*Did you mean web-01\?$/)
})

test('F12 a secrets file that is no YAML is told in words that repeat nothing', async (t) => {
  const [problem, ...more] = await problemsOf(t, {
    config,
    secrets: 'ipmi: { user: admin, password: canary-7\n',
  })
  assert.deepEqual(more, [])
  assert.equal(
    problem,
    'fence-secrets.yaml:2:1: this is not YAML: a line is not indented like its neighbours, or a ' +
      'bracket is not closed',
  )
})

test('F12 a secret header that cannot be sent is told without its name and value', async (t) => {
  const broken = ['"Authorization: canary-7": x', 'Authorization: "canary-7\\n"', 'X: [canary-7]']
  for (const header of broken) {
    const secrets = `http: { secret_headers: { ${header} } }\n`
    const [problem, ...more] = await problemsOf(t, { config: plug(outlet), secrets })
    assert.deepEqual(more, [])
    assert.match(problem ?? '', /^fence-secrets\.yaml:1:\d+: .*secret_headers/)
    assert.doesNotMatch(problem ?? '', /canary/)
  }
})
