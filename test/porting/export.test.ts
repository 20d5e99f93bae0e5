/** C6: `picket export pacemaker`: the script, run by the real `pcs` on CIBs without a cluster. */
import assert from 'node:assert/strict'
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { picket } from '../cli/picket.ts'
import { folder } from '../config/files.ts'
import { missing } from '../needs.ts'
import { assertValid, emptyCib, resources, rewrite, run, runExport, stonith } from './cluster.ts'

const config = `cluster:
  name: shop
  nodes:
    - name: web-01
      addresses: { m: 10.0.0.1, s: [10.1.0.1] }
      priority: 5
      fence:
        - [{ driver: ipmi, host: 10.9.0.1, identity: 4c4c4544-0051-3010-8054-b4c04f313233 }, verify]
        - { driver: proxmox, vmid: 101, name: "it's" }
    - name: web.02
      addresses: { m: 10.0.0.2 }
      fence:
        - - { driver: ipmi, host: 10.9.0.2, timeout_seconds: 5 }
          - { driver: redfish, host: 10.9.1.2, verify_ssl: false }
fence:
  delay_seconds: 2
  delay_random_seconds: 3
  rejoin: manual
  drivers: { proxmox: { api_url: ["https://10.8.0.1:8006", "https://10.8.0.2:8006"] } }
`
const secrets = `ipmi: { user: admin, password: canary-1 }
redfish: { user: root, password: canary-2 }
proxmox: { user: "root@pam", password: canary-3 }
`

const needs = missing('pcs', 'cibadmin', 'crm_verify', 'unshare')

function files(t: TestContext, more: Readonly<Record<string, string>> = {}): string {
  return folder(t, { 'config.yaml': config, 'fence-secrets.yaml': secrets, ...more })
}

async function scriptIn(dir: string, ...flags: readonly string[]) {
  const words = ['export', 'pacemaker', '--config', join(dir, 'config.yaml')]
  const ran = await picket([...words, ...flags])
  return { ...ran, plain: (text: string) => text.replaceAll(`${dir}/`, '') }
}

/** The body of the script: what it does to this cluster. */
const deeds = (script: string): readonly string[] =>
  script
    .slice(script.indexOf('\nagents='))
    .replaceAll(' \\\n  ', ' ')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))

test('C6 one resource for each node uses its levels here, and one looks', async (t) => {
  const { code, out, err, plain } = await scriptIn(files(t))
  assert.equal(code, 0, err)
  assert.deepEqual(deeds(plain(out)).slice(0, 5), [
    'agents=/usr/sbin',
    'need_agents fence_picket fence_picket_verify',
    'stonith picket-web-01 fence_picket 300s 41s config=config.yaml pcmk_host_list=web-01 ' +
      'pcmk_host_map= pcmk_host_check=static-list pcmk_reboot_action=off pcmk_off_timeout=116s ' +
      'pcmk_on_timeout=109s pcmk_reboot_timeout=225s pcmk_monitor_timeout=41s ' +
      'pcmk_status_timeout=41s pcmk_delay_base=12s pcmk_delay_max=15s',
    'stonith picket-web-01-verify fence_picket_verify 300s 41s config=config.yaml ' +
      'pcmk_host_list=web-01 pcmk_host_map= pcmk_host_check=static-list pcmk_reboot_action=off ' +
      'pcmk_off_timeout=116s pcmk_on_timeout=5s pcmk_reboot_timeout=121s ' +
      'pcmk_monitor_timeout=41s pcmk_status_timeout=41s',
    deeds(plain(out))[4],
  ])
  assert.match(out, /^levels web\.02 picket-web\.02,picket-web\.02-verify$/m)
  assert.match(out, /^keep_off picket-web-01-verify web-01$/m)
  assert.match(out, /^# Note: not carried over: fence\.rejoin: keep pacemaker from starting/m)
  assert.match(err, /^note: not carried over: fence\.rejoin: /m)
  assert.doesNotMatch(out + err, /canary/)
})

test('C6 by device, a level for each level, and passwords by a command', async (t) => {
  const { out, err } = await scriptIn(files(t), '--by', 'device')
  const own = deeds(out)
  const first = own.find((line) => line.startsWith('stonith picket-web-01-1-1 ')) ?? ''
  for (const word of [
    'fence_picket_ipmi',
    'ip=10.9.0.1',
    'username=admin',
    'identity=4c4c4544-0051-3010-8054-b4c04f313233',
    'pcmk_delay_base=12s',
  ]) {
    assert.ok(first.includes(` ${word}`), `${word} in ${first}`)
  }
  assert.match(first, / 'password_script=picket password web-01\/1\/1 --config \S+\/config\.yaml' /)
  const guest = own.find((line) => line.startsWith('stonith picket-web-01-2-1 ')) ?? ''
  assert.match(guest, / fence_picket_proxmox .* pcmk_host_map=web-01:101 /)
  assert.ok(guest.includes(` 'name=it'\\''s' `), guest)
  assert.ok(guest.includes(` 'api_url=["https://10.8.0.1:8006","https://10.8.0.2:8006"]' `), guest)
  assert.match(
    out,
    / fence_picket_verify 300s .* driver=redfish .*verify_ssl=0 .*addresses=10\.0\.0\.2/s,
  )
  assert.match(
    out,
    /^levels web\.02 picket-web\.02-1-1,picket-web\.02-1-2,picket-web\.02-1-1-verify,picket-web\.02-1-2-verify$/m,
  )
  assert.match(out, /^levels web-01 \S+ picket-web-01-2-1,picket-web-01-2-1-verify$/m)
  assert.doesNotMatch(out + err, /canary/)
})

test('C6 what the form cannot say is told, and done in another way', async (t) => {
  const dir = files(t, {
    'config.yaml': `cluster:
  name: shop
  nodes:
    - { name: a, fence: { driver: proxmox, vmid: 101, api_url: "https://10.8.0.1:8006" } }
    - { name: b, unfenced: accepted }
`,
    'fence-secrets.yaml': 'proxmox: { token_id: "root@pam!x", token_secret: canary-4 }\n',
  })
  const { code, out, err } = await scriptIn(dir, '--by', 'device')
  assert.equal(code, 0)
  assert.match(
    err,
    /note: a is fenced by its levels in \S+: token_id of a\/1\/1 stands in the secrets/,
  )
  assert.match(err, /note: b has no fence device, and gets none in Pacemaker\./)
  assert.match(
    err,
    /note: a lists no addresses: nothing can listen to it, so its levels have no fence_/,
  )
  assert.match(out, /^stonith picket-a fence_picket 300s/m)
  assert.match(out, /^levels a picket-a$/m)
  assert.doesNotMatch(out + err, /canary/)
})

/** One node is enough, and pcs is slow. */
const single = `cluster:
  name: shop
  nodes:
    - name: web.01
      addresses: { m: 10.0.0.1, s: [10.1.0.1] }
      fence:
        - - { driver: ipmi, host: 10.9.0.1, identity: 4c4c4544-0051-3010-8054-b4c04f313233 }
        - { driver: proxmox, vmid: 101, name: "it's", timeout_seconds: 5 }
fence:
  delay_seconds: 2
  drivers: { proxmox: { api_url: ["https://10.8.0.1:8006", "https://10.8.0.2:8006"] } }
`

for (const [form, as] of [
  ['config', 'cluster'],
  ['device', 'file'],
] as const) {
  test(`C6 by ${form} the script runs twice to the same cluster, and comes back as it was`, {
    skip: needs,
  }, async (t) => {
    const dir = files(t, { 'config.yaml': single })
    const script = join(dir, 'picket.sh')
    const { code } = await scriptIn(dir, '--by', form, '--out', script)
    assert.equal(code, 0)
    const cib = await emptyCib(t, 'web.01')
    const first = await runExport(script, cib, as)
    assert.equal(first.code, 0, first.err)
    assert.match(first.out, /^Changed/m)
    await assertValid(cib)
    const before = readFileSync(cib, 'utf8')
    const again = await runExport(script, cib, as)
    assert.equal(again.code, 0, again.err)
    assert.match(again.out, /^Nothing to change\.$/m)
    assert.equal(readFileSync(cib, 'utf8'), before)
    assert.doesNotMatch(before, /canary/)
    // And back.
    const out = join(dir, 'back')
    const back = await picket(['import', 'pacemaker', '--cib', cib, '--out', out])
    assert.equal(back.code, 0, back.err)
    const levels = async (file: string) => {
      const { out: said } = await picket(['config', 'check', file])
      return said.split('\n').filter((line) => /^ {2}level|^web/.test(line))
    }
    const old = await levels(join(dir, 'config.yaml'))
    assert.equal(old.length, 3)
    assert.deepEqual(await levels(join(out, 'config.yaml')), old)
    const shown = await picket(['config', 'show', join(out, 'config.yaml')])
    assert.match(shown.out, /timeout_seconds: 5\n/)
    assert.match(shown.out, /\n {2}delay_seconds: 2\n/)
  })
}

test('C6 a failure half-way changes nothing, and what is of somebody else is left alone', {
  skip: needs,
}, async (t) => {
  const dir = files(t, { 'config.yaml': single.replace('addresses', '# addresses') })
  const script = join(dir, 'picket.sh')
  await scriptIn(dir, '--out', script)
  const cib = await emptyCib(t, 'web.01')
  const foreign = stonith('picket-web.01', 'fence_ipmilan', { ip: '10.0.0.1' })
  rewrite(cib, (text) => text.replace('<resources/>', resources(foreign)))
  const before = readFileSync(cib, 'utf8')
  const broken = await run('bash', script, '--force', cib)
  assert.equal(broken.code, 1)
  assert.match(broken.err, /^picket-web\.01 is there and no fence_picket: delete it first/m)
  assert.equal(readFileSync(cib, 'utf8'), before)
  rewrite(cib, (text) => text.replaceAll('picket-web.01', 'picket-webx01'))
  const ran = await run('bash', script, '--force', cib)
  assert.equal(ran.code, 0, ran.err)
  assert.match(ran.err, /^picket-webx01 is not in this export; if it is not yours: pcs stonith/m)
  const nowhere = await run('bash', script, '--force', join(dir, 'nowhere.xml'))
  assert.equal(nowhere.code, 1)
})

test('C6 without the agents the script says so', async (t) => {
  const dir = files(t)
  const script = join(dir, 'picket.sh')
  await scriptIn(dir, '--out', script, '--agent-dir', join(dir, 'none'))
  writeFileSync(join(dir, 'cib.xml'), '<cib/>')
  const { code, err } = await run('bash', script, join(dir, 'cib.xml'))
  assert.equal(code, 1)
  assert.match(err, /none\/fence_picket is not there: install the agents on every node, or write/)
})

test('C6 a script is not written over, and wrong calls are told', async (t) => {
  const dir = files(t, { 'there.sh': 'mine' })
  const over = await scriptIn(dir, '--out', join(dir, 'there.sh'))
  assert.equal(over.code, 3)
  assert.match(over.err, /there\.sh is there already, and is not written over: name another one/)
  const form = await scriptIn(dir, '--by', 'devise')
  assert.equal(form.code, 2)
  assert.match(form.err, /--by is config or device, not "devise"\. Did you mean device\?/)
  const to = await picket(['export', 'heartbeat'])
  assert.equal(to.code, 2)
  copyFileSync(join(dir, 'config.yaml'), join(dir, 'off.yaml'))
  rewrite(join(dir, 'off.yaml'), (text) =>
    text.replace('fence:\n  delay', 'fence:\n  enabled: false\n  delay'),
  )
  const off = await picket(['export', 'pacemaker', '--config', join(dir, 'off.yaml')])
  assert.equal(off.code, 3)
  assert.match(off.err, /off\.yaml fences nobody: there is nothing to export/)
})

test('F12 picket password tells a pipe the password of one device, and nothing else', async (t) => {
  const dir = files(t)
  const ask = (device: string) => picket(['password', device, '--config', join(dir, 'config.yaml')])
  const told = await ask('web-01/1/1')
  assert.deepEqual([told.code, told.out, told.err], [0, 'canary-1\n', ''])
  const nobody = await ask('web-01/9/9')
  assert.equal(nobody.code, 2)
  assert.match(nobody.err, /There is no device "web-01\/9\/9": `picket config check` lists them/)
  chmodSync(join(dir, 'fence-secrets.yaml'), 0o644)
  const lax = await ask('web-01/1/1')
  assert.equal(lax.code, 2)
  assert.equal(lax.out, '')
})
