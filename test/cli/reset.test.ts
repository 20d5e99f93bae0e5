/** F15: orders for a node whose only fence device resets, against a BMC without a hard off. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { folder } from '../config/files.ts'
import { type Double, operator, redfishDouble } from '../fence/redfish-double.ts'
import { idracMockup } from '../fence/redfish-profiles.ts'
import { picket } from './picket.ts'

interface Site {
  readonly dir: string
  readonly bmc: Double
}

async function site(t: TestContext): Promise<Site> {
  const bmc = await redfishDouble(idracMockup)
  t.after(() => bmc.close())
  const { url, fingerprint } = bmc.transport
  const step = `{ driver: redfish, url: "${url}", fingerprint: "${fingerprint}", by: reset }`
  const dir = folder(t, {
    'config.yaml': `cluster:
  name: test
  nodes:
    - { name: node-01, fence: ${step} }
    - { name: node-02 }
fence: { least_evidence: new-boot }
`,
    'fence-secrets.yaml': `redfish: { user: ${operator.user}, password: "${operator.password}" }\n`,
  })
  return { dir, bmc }
}

function fence({ dir }: Site, action: string, ...more: string[]) {
  const state = join(dir, 'state')
  const where = ['--config', join(dir, 'config.yaml'), '--state', state]
  return picket(['fence', action, 'node-01', ...where, ...more])
}

test('F15 a reboot by a reset is done when another boot was told twice', async (t) => {
  const here = await site(t)
  const { code, out, err } = await fence(here, 'reboot', '--yes')
  assert.equal(code, 0, err)
  assert.match(out, /^Done: new boot confirmed via redfish \(node-01\/1\/1\) after \d/)
  assert.equal(here.bmc.boots(), 2)
  assert.deepEqual(
    here.bmc.commands.map(({ resetType }) => resetType),
    ['ForceRestart'],
  )
  const log = readFileSync(join(here.dir, 'state', 'orders', 'node-01', 'audit.jsonl'), 'utf8')
  const lines = log
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const { facts } = lines.find(({ kind }: { kind: string }) => kind === 'verdict')
  const boots = JSON.stringify(facts.evidence).match(/boot 20\d\d-\S+?Z/g) ?? []
  assert.equal(boots.length, 3)
  assert.ok(boots[0] !== boots[1] && boots[1] === boots[2], boots.join())
})

test('F15 an order to switch off is refused, and a dry run says why', async (t) => {
  const here = await site(t)
  const { code, err } = await fence(here, 'off', '--yes')
  assert.equal(code, 3)
  assert.match(
    err,
    /Refused: node-01 can only be reset, which does not leave it off; order a reboot/,
  )
  const dry = await picket([
    ...['fence', 'reboot', 'node-01', '--dry-run'],
    ...['--config', join(here.dir, 'config.yaml')],
  ])
  assert.match(dry.out, /node-01\/1\/1 .*: its boot read, reset, then another boot read back twice/)
  assert.deepEqual(here.bmc.commands, [])
})

test('F15 config check names what a reset proves, and warns', async (t) => {
  const { dir } = await site(t)
  const { code, out, err } = await picket(['config', 'check', join(dir, 'config.yaml')])
  assert.equal(code, 0, err)
  assert.match(out, /level 1: redfish at .* \(node-01\/1\/1, proves new-boot only\)/)
  assert.match(err, /warning: Less than a power that is off counts as proof.*new-boot/)
})
