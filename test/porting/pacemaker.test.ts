/** C5: `picket import pacemaker`: what of a CIB becomes a config, and what is told of the rest. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { picket } from '../cli/picket.ts'
import { folder } from '../config/files.ts'
import { missing } from '../needs.ts'
import {
  assertValid,
  cibText,
  emptyCib,
  importCib,
  nodes,
  pcs,
  plainLines,
  resources,
  rewrite,
  stonith,
  topology,
} from './cluster.ts'

const login = { ip: '10.0.0.1', username: 'admin', password: 'canary-7' }

test('C5 devices of the real pcs become levels, and the config is valid', {
  skip: missing(
    'pcs',
    'cibadmin',
    'crm_verify',
    'fence_ipmilan',
    'fence_pve',
    'fence_virsh',
    'fence_redfish',
  ),
}, async (t) => {
  const cib = await emptyCib(t, 'n1', 'n2', 'n3')
  await pcs(
    cib,
    'stonith create f1 fence_ipmilan ip=10.0.0.1 username=admin password=canary-1 lanplus=1 pcmk_host_list=n1 pcmk_delay_base=5s',
    'stonith create f2 fence_ipmilan ipaddr=10.0.0.2 login=admin passwd=canary-2 lanplus=1 cipher=3 pcmk_host_list=n2',
    'stonith create r3 fence_redfish ip=10.0.0.3 username=admin password=canary-3 ssl_insecure=1 systems_uri=/redfish/v1/Systems/S1 pcmk_host_list=n3',
    'stonith create pve fence_pve ip=10.0.1.1 username=root@pam password=canary-4 vmtype=qemu pcmk_host_map=n1:101;n2:102 --force',
    'stonith create kvm fence_virsh ip=10.0.2.1 username=root identity_file=/root/.ssh/fence pcmk_host_map=n3:guest3',
    'stonith level add 1 n1 f1',
    'stonith level add 2 n1 pve',
    'stonith level add 1 n2 f2 pve',
    'stonith level add 1 regexp%n[3]$ r3',
    'stonith level add 2 regexp%n[3]$ kvm',
    'constraint location f1 avoids n1',
  )
  const name = '<nvpair id="name" name="cluster-name" value="shop"/>'
  const set = `<cluster_property_set id="p">${name}</cluster_property_set>`
  rewrite(cib, (text) => text.replace('<crm_config/>', `<crm_config>${set}</crm_config>`))
  await assertValid(cib)
  const out = join(cib, '..', 'made')
  const ran = await picket(['import', 'pacemaker', '--cib', cib, '--out', out])
  assert.equal(ran.code, 0, ran.err)
  assert.match(ran.err, /off its own target are not needed: .*\(location-f1-n1--INFINITY\)/)
  assert.doesNotMatch(ran.out + ran.err, /canary/)
  const check = await picket(['config', 'check', join(out, 'config.yaml')])
  assert.equal(check.code, 0, check.err)
  const levels = check.out.split('\n').filter((line) => / level |^n\d|^\S+ is valid/.test(line))
  assert.deepEqual(
    levels.map((line) => line.replaceAll(`${out}/`, '')),
    [
      'config.yaml is valid: cluster shop, 3 nodes, 6 fence devices, 0 resources.',
      'n1',
      '  level 1: ipmi at 10.0.0.1:623 (n1/1/1)',
      '  level 2: proxmox at 10.0.1.1:8006/101 (n1/2/1)',
      'n2',
      '  level 1: ipmi at 10.0.0.2:623 (n2/1/1) and proxmox at 10.0.1.1:8006/102 (n2/1/2)',
      'n3',
      '  level 1: redfish at 10.0.0.3 (n3/1/1)',
      '  level 2: libvirt at qemu+ssh://root@10.0.2.1/system (n3/2/1)',
    ],
  )
  assert.equal(statSync(join(out, 'fence-secrets.yaml')).mode & 0o777, 0o600)
  const show = await picket(['config', 'show', join(out, 'config.yaml')])
  for (const text of ['vmid: 101', 'type: qemu', 'domain: guest3', 'verify_ssl: false']) {
    assert.ok(show.out.includes(text), `${text} in ${show.out}`)
  }
  assert.match(show.out, /cipher: 3/)
  assert.match(show.out, /system: S1/)
  assert.match(show.out, /priority_delay_seconds: 5/)
})

test('C5 nothing is written over, and exit 3 says where', async (t) => {
  const text = cibText(
    nodes('a'),
    resources(stonith('f', 'fence_ipmilan', { ...login, lanplus: '1', pcmk_host_list: 'a' })),
  )
  const dir = folder(t, { 'cib.xml': text, 'config.yaml': 'mine\n' })
  const words = ['import', 'pacemaker', '--cib', join(dir, 'cib.xml'), '--out', dir]
  const { code, err } = await picket(words)
  assert.equal(code, 3)
  assert.match(err, /config\.yaml is there already, and is not written over: name another/)
})

test('C5 old names, templates and shared sets of options mean the same', async (t) => {
  const text = cibText(
    nodes('a', 'b'),
    `<resources>
      <template id="bmc" class="stonith" type="fence_idrac">
        <instance_attributes id="t"><nvpair id="t1" name="login" value="admin"/>
        <nvpair id="t2" name="passwd" value="canary-7"/><nvpair id="t3" name="lanplus" value="on"/>
        </instance_attributes></template>
      <primitive id="fa" template="bmc"><instance_attributes id="ia">
        <nvpair id="i1" name="ipaddr" value="10.0.0.1"/>
        <nvpair id="i2" name="pcmk_host_list" value="A"/></instance_attributes></primitive>
      <group id="g"><primitive id="fb" class="stonith" type="fence_ilo4">
        <instance_attributes id-ref="shared"/><instance_attributes id="ib">
        <nvpair id="i3" name="ip" value="10.0.0.2"/>
        <nvpair id="i4" name="pcmk_host_list" value="b"/></instance_attributes></primitive>
      <primitive id="x" class="stonith" type="fence_ilo4"><instance_attributes id="shared">
        <nvpair id="s1" name="username" value="root"/>
        <nvpair id="s2" name="password" value="canary-8"/></instance_attributes>
        <meta_attributes id="m"><nvpair id="m1" name="target-role" value="Stopped"/>
        </meta_attributes></primitive></group>
    </resources>`,
  )
  const { code, config, secrets, err } = await importCib(t, text)
  assert.equal(code, 1)
  assert.match(err, /^cib\.xml:17:1: ! x \(fence_ilo4\) is disabled in Pacemaker; it is left out$/m)
  assert.match(config, /name: a\n +fence:\n +- driver: ipmi\n +host: 10\.0\.0\.1\n +user: admin/)
  assert.match(config, /name: b\n +fence:\n +- driver: ipmi\n +host: 10\.0\.0\.2\n +user: root/)
  assert.match(secrets, /a:\n +password: canary-7\n +b:\n +password: canary-8/)
})

test('C5 levels by name, pattern and attribute; a node fits the first', async (t) => {
  const device = (id: string, at: number) =>
    stonith(id, 'fence_ipmilan', { ...login, ip: `10.0.0.${at}`, lanplus: '1' })
  const text = cibText(
    `<nodes><node id="1" uname="a"/><node id="2" uname="web1"/><node id="3" uname="c">
      <instance_attributes id="c"><nvpair id="r" name="rack" value="7"/></instance_attributes>
    </node></nodes>`,
    resources(device('fa', 1), device('fw', 2), device('fc', 3), device('fw2', 4)),
    topology(
      '<fencing-level id="1" target="a" index="1" devices="fa"/>',
      '<fencing-level id="3" target-pattern="^web[[:digit:]]+$" index="2" devices="fw2"/>',
      '<fencing-level id="2" target-pattern="^web[[:digit:]]+$" index="1" devices="fw"/>',
      '<fencing-level id="4" target-attribute="rack" target-value="7" index="1" devices="fc"/>',
      '<fencing-level id="5" target="c2" index="x" devices="fc"/>',
    ),
  )
  const { out, err, code } = await importCib(t, text)
  assert.equal(code, 1)
  assert.match(err, /! the level 5 has no number; it is left out/)
  assert.match(out, /^a\n {2}level 1: ipmi at 10\.0\.0\.1:623 /m)
  assert.match(
    out,
    /^web1\n {2}level 1: ipmi at 10\.0\.0\.2:623 .*\n {2}level 2: ipmi at 10\.0\.0\.4/m,
  )
  assert.match(out, /^c\n {2}level 1: ipmi at 10\.0\.0\.3:623 /m)
})

test('C5 a pattern that never ends ends', async (t) => {
  const text = cibText(
    nodes(`${'a'.repeat(50)}b`),
    resources(stonith('f', 'fence_ipmilan', { ...login, lanplus: '1' })),
    topology('<fencing-level id="1" target-pattern="^(a+)+$" index="1" devices="f"/>'),
  )
  const { err, code } = await importCib(t, text)
  assert.equal(code, 1)
  assert.match(
    err,
    /! the pattern of the level for "\^\(a\+\)\+\$" cannot be used: write the levels/,
  )
})

test('C5 many patterns that never end for many nodes end as well', async (t) => {
  const ids = Array.from({ length: 60 }, (_, at) => at)
  const long = 'a'.repeat(35)
  const levels = ids.map(
    (id) => `<fencing-level id="${id}" target-pattern="(a+)+$x${id}" index="1" devices="f"/>`,
  )
  const text = cibText(
    nodes(...ids.map((id) => `n-${long}${id}`)),
    resources(stonith('f', 'fence_ipmilan', { ...login, lanplus: '1' })),
    topology(...levels),
  )
  const { err, code } = await importCib(t, text)
  assert.equal(code, 1)
  assert.match(err, /! the pattern of the level for .* cannot be used/)
})

test('C5 what a driver has no word for stays with the agent itself', async (t) => {
  const cases = [
    { plug: '101', parameters: { password_script: '/usr/bin/tell' }, type: 'fence_pve' },
    { plug: 'a', parameters: { hexadecimal_kg: 'c0ffee' }, type: 'fence_ipmilan' },
    { plug: 'guest', parameters: {}, type: 'fence_virsh' },
    { plug: '3', parameters: { community: 'canary-9' }, type: 'fence_apc_snmp' },
  ]
  for (const { plug, parameters, type } of cases) {
    const all = { ...login, pcmk_host_map: `a:${plug}`, ...parameters }
    const text = cibText(nodes('a'), resources(stonith('f', type, all)))
    const { config, secrets, out, code } = await importCib(t, text)
    assert.equal(code, 0)
    const step = /- driver: agent\n +agent: (\w+)\n +options:\n +ip: 10\.0\.0\.1\n +username: admin/
    assert.equal(step.exec(config)?.[1], type)
    assert.match(config, new RegExp(`plug: "?${plug}"?\n`))
    assert.match(secrets, /agent:\n {2}a:\n {4}secret_options:\n/)
    assert.doesNotMatch(config + out, /canary|tell|c0ffee/)
  }
})

test('C5 what no step can be made of is kept as a comment, its secrets in the secrets file', async (t) => {
  const text = cibText(
    nodes('a', 'b'),
    resources(
      stonith('scsi', 'fence_scsi', { devices: '/dev/sda', pcmk_host_list: 'a' }),
      stonith('one', 'fence_ipmilan', { ...login, lanplus: '1', pcmk_host_list: 'a b' }),
      stonith('asks', 'fence_vmware_rest', login),
      stonith('sbd', 'fence_sbd', { devices: '/dev/sdb', pcmk_host_list: 'a' }),
      stonith('ext', 'external/ipmi', { ...login, pcmk_host_list: 'b' }),
    ),
  )
  const { config, secrets, err, out, code } = await importCib(t, text)
  assert.equal(code, 1)
  assert.match(err, /! scsi: is not a step of a, and kept there as a comment: agent fence_scsi/)
  assert.match(
    err,
    /! one: is not a step of b, .*: it is the very device of a, and would cut a and b alike/,
  )
  assert.match(err, /! sbd: is not a step of a, .*: it trusts the node to end itself, which/)
  assert.match(err, /! asks \(fence_vmware_rest\) is left out: Pacemaker asks the device which/)
  assert.match(err, /! ext: is not a step of b, .*: agent is not the name of a fence agent/)
  assert.match(err, /! b has no device that was carried over: nobody can prove it off/)
  assert.match(config, / {6}# - driver: agent\n {6}# {3}agent: external\/ipmi\n/)
  assert.match(secrets, /^# Not in use at b: ext: .*\n# agent:\n# {3}b:|^# Not in use at b: ext/m)
  assert.match(secrets, /^# .*password: canary-7$/m)
  assert.doesNotMatch(config + err + out, /canary/)
})

test('C5 a guard before a device is left out of its level, and told', async (t) => {
  const text = cibText(
    nodes('a'),
    resources(
      stonith('ping', 'fence_heuristics_ping', { ping_targets: '10.0.0.254', method: 'fence' }),
      stonith('f', 'fence_ilo5', { ...login, pcmk_host_list: 'a' }),
    ),
    topology('<fencing-level id="1" target="a" index="1" devices="ping,f"/>'),
  )
  const { out, err, code } = await importCib(t, text)
  assert.equal(code, 1)
  assert.match(err, /! ping \(fence_heuristics_ping\) is left out: Picket fences with quorum only/)
  assert.match(out, /^a\n {2}level 1: ipmi at 10\.0\.0\.1:623 \(a\/1\/1\)$/m)
})

test('C5 CIB secrets are read from their files, and missed by name', async (t) => {
  const device = (id: string) =>
    stonith(id, 'fence_ipmilan', {
      ...{ ip: `10.0.0.${id.length}`, username: 'admin', password: 'lrm://', lanplus: '1' },
      pcmk_host_list: id,
    })
  const dir = folder(t, {
    'cib.xml': cibText(nodes('a', 'bb'), resources(device('a'), device('bb'))),
  })
  mkdirSync(join(dir, 'lrm/a'), { recursive: true })
  writeFileSync(join(dir, 'lrm/a/password'), 'canary-7\n')
  chmodSync(join(dir, 'lrm/a/password'), 0o600)
  const words = ['import', 'pacemaker', '--cib', join(dir, 'cib.xml'), '--out', join(dir, 'out')]
  const { code, out, err } = await picket([...words, '--secrets', join(dir, 'lrm')])
  assert.equal(code, 1)
  assert.match(out, /^a\n {2}level 1: ipmi/m)
  assert.match(out, /^bb: no step$/m)
  assert.match(
    err,
    /! bb: password is a CIB secret, and .*lrm\/bb\/password: there is no such file/,
  )
  assert.doesNotMatch(out + err, /canary/)
})

test('C5 delays, crash dumps and cluster options are carried over, or named', async (t) => {
  const bmc = (id: string, more: Readonly<Record<string, string>>) =>
    stonith(id, 'fence_ipmilan', {
      ...{ ...login, ip: `10.0.0.${id.length}`, lanplus: '1', pcmk_host_list: id },
      ...more,
    })
  const text = cibText(
    `<crm_config><cluster_property_set id="p">
      <nvpair id="1" name="no-quorum-policy" value="ignore"/>
      <nvpair id="2" name="stonith-action" value="reboot"/></cluster_property_set></crm_config>`,
    nodes('a', 'bb'),
    resources(
      bmc('a', { pcmk_delay_base: 'a:12s;bb:2s', pcmk_delay_max: '20s' }),
      bmc('bb', { pcmk_delay_base: 'a:12s;bb:2s', delay: '0' }),
      stonith('dump', 'fence_kdump', { timeout: '45', pcmk_host_list: 'a bb' }),
    ),
    topology(
      '<fencing-level id="1" target="a" index="1" devices="dump"/>',
      '<fencing-level id="2" target="a" index="2" devices="a"/>',
    ),
  )
  const { config, err, code } = await importCib(t, text)
  assert.equal(code, 1)
  assert.match(plainLines(config), /name: a\n {6}priority: 1\n/)
  assert.match(
    plainLines(config),
    /fence:\n {2}delay_seconds: 2\n {2}delay_random_seconds: 8\n {2}priority_delay_seconds: 10\n {2}kdump:\n {4}first_seconds: 45\n/,
  )
  assert.match(err, /! no-quorum-policy is not carried over: without quorum Picket fences nobody/)
  assert.match(err, /cib\.xml: stonith-action is not carried over: Picket switches off/)
  assert.match(err, /dump \(fence_kdump\) has become fence\.kdump/)
})

test('C5 what is no CIB is refused with its line, and nothing is written', async (t) => {
  const cases: readonly (readonly [text: string, wanted: RegExp])[] = [
    ['', /cib\.xml:1:1: there is nothing in it; give the output of cibadmin -Q/],
    ['<cib/>', /cib\.xml:1:1: this is no CIB/],
    [cibText(nodes('a')), /cib\.xml: this CIB holds no stonith device/],
    ['<cib>\n<a>\n</b></cib>', /cib\.xml:3:1: an element ends here that is not open/],
    ['<cib>\n<a b="1" b="2"/></cib>', /cib\.xml:2:1: an attribute stands twice/],
    ['<!DOCTYPE x [<!ENTITY a "b">]><cib/>', /cib\.xml:1:1: this is not XML, or not this kind/],
    [`${'<a>'.repeat(5_000)}`, /cib\.xml:1:1: this is nested too deeply/],
    ['password = canary-7', /cib\.xml:1:1: this is not XML/],
  ]
  for (const [text, wanted] of cases) {
    const { code, err, config } = await importCib(t, text)
    assert.equal(code, 2, text)
    assert.match(err, wanted)
    assert.match(err, /Nothing was written\.\n$/)
    assert.doesNotMatch(err, /canary/)
    assert.equal(config, '')
  }
})

test('C5 names and values of strangers stay where they are', async (t) => {
  const text = cibText(
    nodes('a', '__proto__', 'x&#10;y', '../b'),
    resources(
      stonith('f&#27;[2J', 'fence_apc', { ...login, pcmk_host_list: 'a', 'x&#10;evil: 1': '2' }),
      stonith('constructor', 'constructor', { ...login, pcmk_host_list: 'a', pcmk_x: 'y' }),
    ),
  )
  const { code, err, config } = await importCib(t, text)
  assert.equal(code, 1)
  assert.doesNotMatch((err + config).replaceAll('\n', ''), /\p{Cc}/u)
  assert.doesNotMatch(config, /^ *evil:/m)
  assert.match(err, /! the node "__proto__" has a name that Picket does not take/)
})
