import assert from 'node:assert/strict'
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

test('F15 a driver resets only where it names what proves a reset', async () => {
  for (const name of driverNames) {
    const { reset, capabilities } = await loadDriver(name)
    assert.equal(reset !== undefined, capabilities.bootMark !== undefined, name)
    assert.equal(reset !== undefined, capabilities.bootMs !== undefined, name)
  }
})
