/**
 * C4: the JSON Schema for editors. It takes whatever the loader takes, refuses the mistakes that
 * people make, and lies in the repository as the code writes it.
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { builtIn } from '../../src/config/catalog.ts'
import { ajv, faultsIn, text } from './editor.ts'
import { load, problemsOf, twoNodes } from './files.ts'

const home = join(import.meta.dirname, '..', '..')
const copy = join(home, 'docs/config.schema.json')

test('C4 docs/config.schema.json is as the code writes it; UPDATE=1 writes it', () => {
  if (process.env.UPDATE) writeFileSync(copy, `${text}\n`)
  const command = 'UPDATE=1 bin/node --test test/config/editor-schema.test.ts'
  assert.ok(readFileSync(copy, 'utf8') === `${text}\n`, command)
})

test('C4 it is a valid schema of draft 7, and every option in it has a title', () => {
  const schema = JSON.parse(text) as { $schema: string; definitions: object }
  assert.equal(schema.$schema, 'http://json-schema.org/draft-07/schema#')
  assert.ok(ajv.validateSchema(schema), ajv.errorsText())
  const sections = Object.entries(schema.definitions).filter(([name]) => /^driver-/.test(name))
  assert.equal(sections.length, builtIn.driverNames.length)
  for (const [name, { properties }] of sections) {
    for (const [key, option] of Object.entries<{ title?: string }>(properties)) {
      assert.ok(option.title, `${name}: ${key}`)
    }
  }
})

const examples = globSync('examples/*.yaml', { cwd: home }).filter(
  (name) => !name.includes('.secrets.'),
)

for (const name of examples) {
  test(`C4 it takes ${name}, which names it for editors`, () => {
    const config = readFileSync(join(home, name), 'utf8')
    assert.deepEqual(faultsIn(config), [])
    const [, path = ''] = /^# yaml-language-server: \$schema=(.*)$/m.exec(config) ?? []
    assert.equal(path, '/opt/picket/docs/config.schema.json')
  })
}

const pages = globSync('docs/**/*.md', { cwd: home })

for (const page of pages) {
  const blocks = readFileSync(join(home, page), 'utf8').matchAll(/```yaml\n([\s\S]*?)```/g)
  for (const [index, [, block = '']] of [...blocks].entries()) {
    test(`C4 it takes configuration ${index + 1} of ${page}`, () => {
      const minimal = parse(readFileSync(join(home, 'examples/minimal.yaml'), 'utf8')) as object
      assert.deepEqual(faultsIn(JSON.stringify({ ...minimal, ...parse(block) })), [])
    })
  }
}

const node = (fence: string) => `cluster:
  name: test
  nodes:
    - { name: a, address: 10.0.0.1, fence: ${fence} }
`
const secrets = 'ipmi: { user: admin, password: geheim }\n'

const taken: readonly (readonly [what: string, config: string])[] = [
  ['the least', twoNodes],
  ['a step', node('{driver: ipmi, host: x}')],
  ['a list of steps', node('[{driver: ipmi, host: x}, {driver: ipmi, host: y}]')],
  ['levels with verify', node('[[{driver: ipmi, host: x}, verify], {driver: ipmi, host: y}]')],
  ['what every step may say', node('{driver: ipmi, host: x, identity: u, late_seconds: 0}')],
  ['a secret by its variable', node('{driver: ipmi, host: x, password_env: PATH}')],
  [
    'sections of drivers',
    `${node('{driver: ipmi}')}fence:
  credentials_file: fence-secrets.yaml
  delay_seconds: 30
  max_retries: 3
  drivers:
    ipmi: { host: x, cipher: 3, timeout_seconds: 2.5, credentials_file: fence-secrets.yaml }
    proxmox: { api_url: [https://10.0.0.1:8006], verify_ssl: false }
`,
  ],
  [
    'all addresses',
    `cluster:
  name: test
  nodes:
    - name: a
      addresses: { m: 10.0.2.1, c: ["2001:db8::1", "fe80::1%eth0", "::ffff:10.0.0.1"] }
      fence: { driver: ipmi, host: x }
`,
  ],
  [
    'resources of all types',
    `${twoNodes}resources:
  - { id: r, type: exec, run: sleep 1, env: { A: b }, timeouts: { stop_seconds: 0.5 } }
  - { id: s, type: exec, start: [sleep, "2"], nodes: [b, a], user: root, directory: / }
  - { id: t, type: vip, address: 10.0.0.1/24, interface: eth0, announce: 1 }
  - { id: u, type: vip, address: "2001:db8::1" }
`,
  ],
  ['empty sections', `${twoNodes}fence: {}\nresources: []\ntiming: {}\n`],
  ['another timing', `${twoNodes}timing: { beat_ms: 500, silent_seconds: 4.5, echo_ms: 2000 }\n`],
]

for (const [what, config] of taken) {
  test(`C4 it takes, as the loader does: ${what}`, async (t) => {
    // So that a step of the secrets file alone is complete as well.
    const own = config.includes('password_env') ? 'ipmi: { user: admin }\n' : secrets
    // Which asks the schema too, as it does in every other test that loads a configuration.
    await load(t, { config, secrets: own }, { env: { PATH: 'geheim' } })
  })
}

const refused: readonly (readonly [what: string, config: string, fault: RegExp])[] = [
  ['a key of its own at the top', `${twoNodes}tming: {}\n`, /additional properties: tming/],
  ['no cluster', 'fence: {}\n', /required property 'cluster'/],
  ['no nodes', 'cluster: { name: x, nodes: [] }\n', /nodes must NOT have fewer than 1/],
  ['a node without a name', 'cluster: { name: x, nodes: [{}] }\n', /required property 'name'/],
  ['a name with a slash', twoNodes.replace('name: a', 'name: a/b'), /name must match pattern/],
  ['a name that is no text', twoNodes.replace('name: a', 'name: 12'), /name must be string/],
  [
    'a host name for an address',
    node('x').replace('10.0.0.1', 'foo.example'),
    /address must match/,
  ],
  ['an unknown option of a node', twoNodes.replace('name: b', 'name: b, adress: x'), /: adress/],
  ['a driver that is not built in', node('{driver: ipmj}'), /driver must be equal to one of/],
  ['a step without a driver', node('{host: x}'), /required property 'driver'/],
  ['an unknown option of a driver', node('{driver: ipmi, hots: x}'), /properties: hots/],
  ['an option of another driver', node('{driver: ipmi, vmid: 101}'), /properties: vmid/],
  ['a secret', node('{driver: ipmi, password: geheim}'), /password must match pattern/],
  ['a secret that is a number', node('{driver: ipmi, password: 1}'), /password must be string/],
  [
    'secrets of an agent',
    node('{driver: agent, secret_options: {a: b}}'),
    /secret_options must be/,
  ],
  ['a variable for no secret', node('{driver: ipmi, user_env: X}'), /properties: user_env/],
  ['a path for a credential', node('{driver: ipmi, password_credential: ../x}'), /must match/],
  ['a number as a text', node('{driver: ipmi, port: "623"}'), /port must be integer/],
  ['a port that is none', node('{driver: ipmi, port: 70000}'), /port must be <= 65535/],
  ['silence as a level', node('[verify]'), /fence\/0 must be object/],
  ['silence alone in a level', node('[{driver: ipmi, host: x}, [verify]]'), /must contain/],
  ['an empty list of levels', node('[]'), /fence must NOT have fewer than 1/],
  ['an empty level', node('[[]]'), /must contain/],
  ['a step that is a number', node('[{driver: ipmi, host: x}, 5]'), /fence\/1 must be object/],
  ['a section of no driver', `${twoNodes}fence: { drivers: { ipmo: {} } }\n`, /: ipmo/],
  [
    'a secret of a section',
    `${twoNodes}fence: { drivers: { ipmi: { password: x } } }\n`,
    /password/,
  ],
  ['confirm_down: false', `${twoNodes}fence: { confirm_down: false }\n`, /equal to constant/],
  ['a word for a switch', `${twoNodes}fence: { enabled: "no" }\n`, /enabled must be boolean/],
  ['a unit in a value', `${twoNodes}fence: { delay_seconds: 30s }\n`, /must be number/],
  ['a name without its unit', `${twoNodes}fence: { delay: 30 }\n`, /properties: delay/],
  ['nothing below a key', `${twoNodes}fence:\n`, /fence must be object/],
  ['no such resource type', `${twoNodes}resources: [{ id: r, type: vpi }]\n`, /one of the allowed/],
  ['a resource without a type', `${twoNodes}resources: [{ id: r }]\n`, /required property 'type'/],
  ['an address left out', `${twoNodes}resources: [{ id: r, type: vip }]\n`, /property 'address'/],
  ['neither run nor start', `${twoNodes}resources: [{ id: r, type: exec }]\n`, /property 'run'/],
  [
    'run and start',
    `${twoNodes}resources: [{ id: r, type: exec, run: a, start: b }]\n`,
    /exactly one schema/,
  ],
  [
    'an option of another type',
    `${twoNodes}resources: [{ id: r, type: vip, address: 10.0.0.1, run: x }]\n`,
    /properties: run/,
  ],
  [
    'a timeout without its unit',
    `${twoNodes}resources: [{ id: r, type: exec, run: x, timeouts: { start: 5 } }]\n`,
    /properties: start/,
  ],
  ['a beat that is too short', `${twoNodes}timing: { beat_ms: 5 }\n`, /beat_ms must be >= 10/],
  ['a silence of nothing', `${twoNodes}timing: { silent_seconds: 0 }\n`, /must be > 0/],
]

for (const [what, config, fault] of refused) {
  test(`C4 it refuses, as the loader does: ${what}`, async (t) => {
    assert.match(faultsIn(config).join('\n'), fault)
    assert.ok((await problemsOf(t, { config, secrets })).length > 0)
  })
}
