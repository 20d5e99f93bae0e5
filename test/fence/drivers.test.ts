/** What holds for every driver alike. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { driverNames, loadDriver } from '../../src/fence/drivers/index.ts'

test('F1 every driver loads by its name, and every option of it has a title', async () => {
  for (const name of driverNames) {
    const driver = await loadDriver(name)
    assert.equal(driver.name, name)
    for (const [option, schema] of Object.entries(driver.options.shape)) {
      assert.ok(schema.meta()?.title, `${name}.${option} has no title`)
    }
  }
  await assert.rejects(loadDriver('toaster'), /no fence driver "toaster": known are .*ipmi/)
})

test('what somebody else may switch on again is watched after its off', async () => {
  const alone: string[] = []
  for (const name of driverNames) {
    if ((await loadDriver(name)).capabilities.returnsMs === 0) alone.push(name)
  }
  // A BMC switches on by its policy when current returns, and only then; a guest agent is no proof.
  assert.deepEqual(alone.sort(), ['ipmi', 'qemu-guest-agent', 'redfish'])
})

test('every driver stands in the lists of drivers', () => {
  const lists = { 'README.md': 'docs/drivers/', 'docs/operating.md': 'drivers/' }
  for (const [path, folder] of Object.entries(lists)) {
    const text = readFileSync(join(import.meta.dirname, '../..', path), 'utf8')
    for (const name of driverNames) {
      const link = `[${name}](${folder}${name}.md)`
      assert.ok(text.includes(link), `${path} lists the drivers, and lacks ${link}`)
    }
  }
})
