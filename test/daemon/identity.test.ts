import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { readIdentity } from '../../src/daemon/identity.ts'
import { canonicalIdentity, sameIdentity } from '../../src/fence/identity.ts'
import { scratch } from './scratch.ts'

const uuid = '4c4c4544-0042-3510-8059-c2c04f4c4d32'

function machine(t: TestContext) {
  const dir = scratch(t)
  const file = (name: string) => join(dir, name)
  writeFileSync(file('kernel'), 'b3a1\n')
  const options = {
    runDir: file('run'),
    hardwareFile: file('hardware-uuid'),
    firmwareFile: file('product_uuid'),
    kernelBootFile: file('kernel'),
  }
  return { file, read: () => readIdentity(options) }
}

test('every life of the daemon has its own name, and shares that of its boot', (t) => {
  const { read } = machine(t)
  const [a, b] = [read(), read()]
  assert.notEqual(a.incarnation, b.incarnation)
  assert.equal(a.boot, b.boot)
  assert.equal(a.hardware, undefined)
})

test('it is another boot when the kernel says so, and when the run directory is new', (t) => {
  const { file, read } = machine(t)
  const { boot } = read()
  writeFileSync(file('kernel'), 'c4d2\n')
  assert.notEqual(read().boot, boot)
  writeFileSync(file('kernel'), 'b3a1\n')
  assert.equal(read().boot, boot)
  rmSync(file('run'), { recursive: true })
  assert.notEqual(read().boot, boot)
})

test("the operator's word on the hardware goes before the firmware's", (t) => {
  const { file, read } = machine(t)
  writeFileSync(file('product_uuid'), '99999999-0042-3510-8059-C2C04F4C4D32\n')
  const firmware = read().hardware
  writeFileSync(file('hardware-uuid'), `${uuid.toUpperCase()}\n`)
  assert.ok(firmware !== undefined && read().hardware !== firmware)
  assert.ok(sameIdentity(read().hardware ?? '', uuid))
})

test('S15 the hardware is told as its BMC tells it, in whatever order either has the bytes', (t) => {
  const { file, read } = machine(t)
  // Seen in a lab: the node said this one, and its BMC another order of the same bytes.
  const own = 'd1a42770-36b3-4377-b49e-d418af4f5d7a'
  const swapped = '7027a4d1-b336-7743-b49e-d418af4f5d7a'
  for (const said of [own, swapped]) {
    writeFileSync(file('hardware-uuid'), said)
    assert.equal(read().hardware, canonicalIdentity(own))
  }
})

test('a uuid that many boards share is none', (t) => {
  const { file, read } = machine(t)
  for (const junk of [
    '00000000-0000-0000-0000-000000000000',
    'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
    '03000200-0400-0500-0006-000700080009',
    'Not Settable',
    '',
  ]) {
    writeFileSync(file('product_uuid'), `${junk}\n`)
    assert.equal(read().hardware, undefined, junk)
  }
})
