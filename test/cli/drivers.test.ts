/** `picket drivers`: what there is, and every option of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commonSchema } from '../../src/config/merge.ts'
import { driverNames, loadDriver } from '../../src/fence/drivers/index.ts'
import { picket } from './picket.ts'

test('F1 every driver is listed, and shows every option with what it takes', async () => {
  const { code, out } = await picket(['drivers'])
  assert.equal(code, 0)
  for (const name of driverNames) {
    const proof = name === 'qemu-guest-agent' ? 'proves nothing' : 'proves off'
    assert.match(out, new RegExp(`^${name} +${proof} `, 'm'))
    const shown = await picket(['drivers', name])
    const own = Object.keys((await loadDriver(name)).options.shape)
    for (const option of [...own, ...Object.keys(commonSchema.shape)]) {
      assert.match(shown.out, new RegExp(`^  ${option}  \\(`, 'm'), `${name} ${option}`)
    }
    const told = JSON.parse((await picket(['drivers', name, '--json'])).out)
    assert.equal(told.name, name)
    assert.ok(told.options.length > 0)
    assert.equal(told.stepOptions.length, 4)
    const { list } = await loadDriver(name)
    assert.equal(told.capabilities.list, list !== undefined)
    assert.equal(shown.out.includes(`picket drivers ${name} --targets`), list !== undefined)
  }
  assert.equal(JSON.parse((await picket(['drivers', '--json'])).out).length, driverNames.length)
})

test('a driver that does not exist is a usage error with a suggestion', async () => {
  const { code, err } = await picket(['drivers', 'ipmj'])
  assert.equal(code, 2)
  assert.match(err, /there is no driver "ipmj"; there are: .*Did you mean ipmi\?/)
})

test('what an ipmi device needs, on one screen', async () => {
  const { out } = await picket(['drivers', 'ipmi'])
  assert.match(out, /proves off by two readings, 0.1 s apart/)
  assert.match(out, /^ {2}password {2}\(text, secret; required\)$/m)
  assert.match(out, /^ {2}port {2}\(whole number, 1 to 65535; default 623\)$/m)
})
