/** C5: `picket import stonith-nodes`: an inventory becomes a config, and nothing of it is lost. */
import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { picket } from '../cli/picket.ts'
import { importInto } from './cluster.ts'

const take = (t: TestContext, text: string, name = 'nodes.yaml') =>
  importInto(t, ['stonith-nodes', name], { [name]: text })

test('C5 ipmi becomes a step with its login, as YAML and as JSON', async (t) => {
  const nodes = {
    'storage-a': { method: 'ipmi', ip: '10.0.0.1', user: 'admin', password: 'canary-7' },
    'storage-b': { method: 'ipmi', ip: '10.0.0.2', user: 'admin', password: 'canary-8' },
  }
  const yaml = `stonith_nodes:
  storage-a: { method: ipmi, ip: 10.0.0.1, user: admin, password: canary-7 }
  storage-b: { method: ipmi, ip: 10.0.0.2, user: admin, password: canary-8 }
`
  const both = [await take(t, yaml), await take(t, JSON.stringify({ stonith_nodes: nodes }))]
  for (const { code, out, err, config, secrets, directory } of both) {
    assert.equal(code, 0, err)
    assert.match(out, /^storage-a\n {2}level 1: ipmi at 10\.0\.0\.1:623 /m)
    assert.match(out, /^Next: picket config check /m)
    assert.doesNotMatch(config + out + err, /canary/)
    assert.match(secrets, /ipmi:\n {2}storage-a:\n {4}password: canary-7\n {2}storage-b:\n/)
    assert.equal(statSync(join(directory, 'fence-secrets.yaml')).mode & 0o777, 0o600)
    const check = await picket(['config', 'check', join(directory, 'config.yaml')])
    assert.equal(check.code, 0, check.err)
  }
})

test('C5 methods without a driver are told by node, and kept whole as comments', async (t) => {
  const { code, out, err, config, secrets, directory } = await take(
    t,
    `stonith_nodes:
  storage-a: { method: ipmi, ip: 10.0.0.1, user: admin, password: canary-1, switch_name: s1 }
  plug-k: { method: kasa, ip: 10.0.0.2 }
  plug-t: { method: tasmota, ip: 10.0.0.3, user: admin, password: canary-3 }
  plug-e: { method: esphome, ip: 10.0.0.4, switch_name: relay, api_token: canary-4 }
  web: { method: http, ip: 10.0.0.5, password: 12345 }
`,
  )
  assert.equal(code, 1)
  assert.match(
    err,
    /nodes\.yaml:3:1: ! plug-k \(kasa\) has no step: Picket has no driver kasa yet; it/,
  )
  assert.match(err, /:4:1: ! plug-t \(tasmota\) has no step: Picket has no driver tasmota yet/)
  assert.match(err, /:5:1: ! plug-e \(esphome\) has no step: Picket has no driver esphome yet/)
  assert.match(err, /:6:1: ! web \(http\) has no step: .* which requests switch it/)
  assert.match(
    err,
    /:2:1: ! storage-a \(ipmi\): switch_name means nothing to it; kept as a comment/,
  )
  assert.match(
    config,
    / {6}# - driver: esphome\n {6}# {3}ip: 10\.0\.0\.4\n {6}# {3}switch_name: relay/,
  )
  assert.match(config, / {6}# - switch_name: s1\n/)
  for (const password of ['canary-3', 'canary-4', '12345']) {
    assert.match(secrets, new RegExp(`^# .*${password}`, 'm'))
  }
  assert.doesNotMatch(config + out + err, /canary|12345/)
  const check = await picket(['config', 'check', join(directory, 'config.yaml')])
  assert.equal(check.code, 0, check.err)
})

const wrong: readonly (readonly [what: string, text: string, told: RegExp])[] = [
  ['another map', 'nodes: {}\n', /nodes\.yaml:1:1: write a map stonith_nodes:/],
  ['a list', 'stonith_nodes: [canary-7]\n', /write a map stonith_nodes:/],
  ['no node', 'stonith_nodes: {}\n', /:1:16: stonith_nodes names no node/],
  ['no method', 'stonith_nodes:\n  a: { ip: 10.0.0.1 }\n', /:2:3: "a": method is missing/],
  [
    'a mistyped method',
    'stonith_nodes:\n  a: { method: impi, ip: 10.0.0.1 }\n',
    /:2:16: "a": there is no method "impi"; there are .* Did you mean ipmi\?/,
  ],
  ['no address', 'stonith_nodes:\n  a: { method: ipmi }\n', /:2:3: "a": ip is missing/],
  [
    'a map for a password',
    'stonith_nodes:\n  a: { method: ipmi, ip: 10.0.0.1, password: { x: canary-7 } }\n',
    /:2:46: "a": password has to be a text/,
  ],
  [
    'a name that is none',
    'stonith_nodes:\n  a/b: { method: ipmi }\n',
    /:2:3: "a\/b": cannot be a name/,
  ],
  ['no YAML', 'stonith_nodes: [canary-7\n', /this is not YAML/],
  ['nothing', '', /the file is empty/],
]

for (const [what, text, told] of wrong) {
  test(`C5 an inventory with ${what} is refused with its line`, async (t) => {
    const { code, err, config } = await take(t, text)
    assert.equal(code, 2)
    assert.match(err, told)
    assert.match(err, /Nothing was written\.\n$/)
    assert.doesNotMatch(err, /canary/)
    assert.equal(config, '')
  })
}

test('C5 wrong calls are told', async () => {
  const calls: readonly (readonly [words: readonly string[], told: RegExp])[] = [
    [[], /stonith-nodes\|pacemaker is missing/],
    [['pacemakr'], /nothing is imported from "pacemakr"\. Did you mean pacemaker\?/],
    [['stonith-nodes'], /FILE is missing/],
    [['pacemaker', 'cib.xml'], /pacemaker reads no FILE: write --cib cib\.xml/],
    [['stonith-nodes', 'x', '--cib', 'y'], /belong to pacemaker/],
    [['stonith-nodes', '/nowhere/x', '--out', '/nowhere/y'], /there is no such file/],
  ]
  for (const [words, told] of calls) {
    const { code, err } = await picket(['import', ...words])
    assert.equal(code, 2, words.join(' '))
    assert.match(err, told)
  }
})
