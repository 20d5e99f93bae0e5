/** What agents say of themselves: read where it is right, refused where it is not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readMetadata } from '../../src/foreign/metadata.ts'
import { metadata } from '../fence/agent-double.ts'

test('metadata that is no such XML is refused', () => {
  const good = metadata()
  assert.equal(readMetadata('fence_double', good).parameters.length, 9)
  const bad = [
    '',
    'usage: fence_double',
    good.slice(0, -20),
    good.replace('</parameters>', ''),
    good.replace('<parameters>', '<parameters>text'),
    good.replace('<parameters>', '<parameters><![CDATA[text]]>'),
    good.replace('<parameters>', '<parameters><script>'),
    good.replace('<?xml', '<!DOCTYPE x [<!ENTITY a "b">]><?xml'),
    good.replace('name="ip"', 'name="ip\''),
    `${good}${good}`,
    '<parameters></parameters>',
    `<resource-agent name="${'<'.repeat(9)}">`,
    '</resource-agent>',
  ]
  for (const xml of bad) assert.throws(() => readMetadata('fence_double', xml), /no such XML/, xml)
})

test('metadata as OCF 1.1 has it is understood, what may stand anywhere included', () => {
  const { parameters, actions } = readMetadata(
    'ocf:test:Example',
    `<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="Example" version='2.0'>
<version>1.1</version>
<longdesc lang="en"><![CDATA[Takes <anything> & more]]> or <b>this</b></longdesc>
<parameters>
  <parameter name="mode" required="1" unique-group="place" reloadable="1">
    <longdesc lang="en">The mode</longdesc>
    <content type="select" default='live &amp; "well"'><option value="live"/></content>
  </parameter>
  <parameter name="old">
    <deprecated><replaced-with name="mode"/><desc lang="en">Not used</desc></deprecated>
    <content type="string"/>
  </parameter>
</parameters>
<actions>
  <action name="start" timeout="2m30s" />
  <action name="stop" timeout="100" />
  <action name="monitor" depth="0" timeout="20s" interval="10s" start-delay="1m" />
  <action name="reload-agent" timeout="soon" />
</actions>
<special tag="vendor"><Ordering>403</Ordering></special>
</resource-agent>
`,
  )
  const [mode, old] = parameters
  assert.deepEqual(mode, {
    ...{ name: 'mode', required: true, meaning: 'mode', type: 'select' },
    ...{ standard: 'live & "well"', choice: ['live'] },
  })
  assert.equal(old?.required, false)
  assert.deepEqual(
    actions.map(({ name, adviceMs }) => [name, adviceMs]),
    [
      ['start', 150_000],
      ['stop', 100_000],
      ['monitor', 20_000],
      ['reload-agent', undefined],
    ],
  )
})
