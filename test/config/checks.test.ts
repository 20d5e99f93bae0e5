/** H4: health checks in the config: what they come to, and every mistake told where it stands. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { load, problemsOf, twoNodes } from './files.ts'

const web = (more: string) => `resources:\n  - { id: web, type: exec, run: /bin/web, ${more} }\n`
const check = (text: string) => `checks:\n  - { ${text} }\n`
const gateway = check('id: gateway, type: tcp, host: 192.0.2.1, port: 53')

test('H4 a check has a rhythm, and resources name it', async (t) => {
  const config = `${twoNodes}${web('health: answers, only_where: [gateway, answers]')}checks:
  - { id: gateway, type: exec, run: ping -c1 -W1 192.0.2.1 }
  - id: answers
    type: http
    url: https://127.0.0.1:8443/health
    status: [200, 300-399]
    ca_file: /etc/ssl/own.pem
    every_seconds: 2.5
    timeout_seconds: 1
    rise: 4
    fall: 5
`
  const { core, checks, warnings } = await load(t, { config })
  const often = { everyMs: 5_000, timeoutMs: 3_000, rise: 2, fall: 3 }
  assert.deepEqual(core.checks, [
    { id: 'gateway', ...often },
    { id: 'answers', everyMs: 2_500, timeoutMs: 1_000, rise: 4, fall: 5 },
  ])
  assert.deepEqual(checks[0], {
    id: 'gateway',
    type: 'exec',
    options: { run: 'ping -c1 -W1 192.0.2.1' },
  })
  const [resource] = core.resources
  assert.deepEqual(resource?.health, ['answers'])
  assert.deepEqual(resource?.onlyWhere, ['gateway', 'answers'])
  assert.deepEqual(
    warnings.filter((text) => text.includes('check')),
    [],
  )
})

test('H4 another option of a check is another configuration', async (t) => {
  const hashOf = async (port: number) => {
    const own = check(`id: gateway, type: tcp, host: 192.0.2.1, port: ${port}`)
    return (await load(t, { config: `${twoNodes}${web('only_where: gateway')}${own}` })).core.hash
  }
  assert.notEqual(await hashOf(53), await hashOf(54))
  assert.equal(await hashOf(53), await hashOf(53))
})

test('H4 a check that nobody names is a warning', async (t) => {
  const { warnings } = await load(t, { config: `${twoNodes}${web('nodes: [a]')}${gateway}` })
  assert.match(
    warnings.join(),
    /The check gateway is asked by nobody: name it in health or only_wh/,
  )
})

const faults: readonly (readonly [what: string, config: string, expected: RegExp])[] = [
  [
    'no such type',
    check('id: x, type: htpp'),
    /"htpp".*exec, http, systemd, tcp\. Did you mean http/,
  ],
  ['a strange option', check('id: x, type: tcp, prot: 1'), /type tcp has no option prot\. .*port/],
  ['an option that is missing', check('id: x, type: tcp, host: x'), /port is missing/],
  ['a wrong value', check('id: x, type: tcp, host: x, port: 0'), /port/],
  ['a wrong rhythm', check('id: x, type: exec, run: a, rise: 0'), /rise/],
  ['no command', check('id: x, type: exec, run: ""'), /names no program/],
  [
    'a secret',
    check('id: x, type: http, url: "http://x", headers: { cookie: a }'),
    /like a secret/,
  ],
  ['no unit', check('id: x, type: systemd, unit: a b'), /a b is no name of a unit/],
  [
    'a strange name',
    `${web('health: gatway')}${gateway}`,
    /no check "gatway"\. Did you mean gateway/,
  ],
  ['a name without checks', web('only_where: [gateway]'), /no check "gateway"\. There are none/],
  [
    'a name twice',
    `${gateway}  - { id: gateway, type: exec, run: a }\n`,
    /"gateway" is the id of checks\[0\] too/,
  ],
  [
    'one that fails too slowly',
    `${web('health: slow')}${check('id: slow, type: exec, run: a, every_seconds: 30')}`,
    /slow takes 90 s to fail.*remembered for 60 s \(timing.*restarted in place for ever/,
  ],
  [
    'one that fails too slowly for its own resource',
    `${web('health: fast, failure_timeout_seconds: 10')}${check('id: fast, type: exec, run: a')}`,
    /fast takes 15 s to fail.*remembered for 10 s \(its failure_timeout_seconds\)/,
  ],
  [
    'one that fails too slowly for so many failures',
    `${web('health: fast, failures_max: 5')}${check('id: fast, type: exec, run: a')}`,
    /fast takes 15 s to fail.*remembered for 60 s .*so 5 of them never count together/,
  ],
]

for (const [what, config, expected] of faults) {
  test(`H4 ${what} is refused with a sentence`, async (t) => {
    const problems = await problemsOf(t, { config: `${twoNodes}${config}` })
    assert.match(problems.join('\n'), expected)
    assert.match(problems.join('\n'), /^config.yaml:\d+/m)
  })
}
