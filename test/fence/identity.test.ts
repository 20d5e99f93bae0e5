import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalIdentity, sameIdentity } from '../../src/fence/identity.ts'

// One machine as dmidecode, the SMBIOS table and an IPMI BMC write it.
const rfc4122 = '4c4c4544-0051-3710-8052-b4c04f4d3132'
const smbios = '44454c4c-5100-1037-8052-b4c04f4d3132'
const ipmi = '32314d4f-c0b4-5280-1037-510044454c4c'

test('S15 the byte orders of SMBIOS, RFC 4122 and IPMI name one machine', () => {
  for (const text of [smbios, ipmi, ipmi.toUpperCase(), ` {${smbios}} `, rawBytes(ipmi)]) {
    assert.ok(sameIdentity(rfc4122, text), text)
  }
})

test('the canonical form is the one that looks like RFC 4122, where only one does', () => {
  const random = '03000200-0400-4500-9006-000700080009'
  for (const text of [random, '00020003-0004-0045-9006-000700080009']) {
    assert.equal(canonicalIdentity(text), random)
  }
})

test('S15 another machine is another machine, also with one digit changed', () => {
  assert.ok(!sameIdentity(rfc4122, rfc4122.replace('3132', '3133')))
})

test('zeros, ones and blanks identify nothing, not even each other', () => {
  for (const text of ['', '  ', '00000000-0000-0000-0000-000000000000', 'f'.repeat(32)]) {
    assert.equal(canonicalIdentity(text), undefined)
    assert.ok(!sameIdentity(text, text))
  }
})

test('a name that is no UUID is compared as it is, but for case and blanks', () => {
  assert.equal(canonicalIdentity(' Web-02 '), 'web-02')
  assert.ok(!sameIdentity('web-02', 'web-03'))
})

test('every order of the same bytes has one canonical form, which is its own canonical form', () => {
  const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 })
  fc.assert(
    fc.property(bytes, (uuid) => {
      const canonical = canonicalIdentity(hex(uuid))
      assert.equal(canonicalIdentity(hex([...uuid].reverse())), canonical)
      assert.equal(canonicalIdentity(hex(swapFields([...uuid]))), canonical)
      assert.equal(canonicalIdentity(hex(swapFields([...uuid]).reverse())), canonical)
      if (canonical !== undefined) assert.equal(canonicalIdentity(canonical), canonical)
    }),
  )
})

function swapFields(b: number[]): number[] {
  const part = (from: number, to: number): number[] => b.slice(from, to).reverse()
  return [...part(0, 4), ...part(4, 6), ...part(6, 8), ...b.slice(8)]
}

function hex(bytes: Iterable<number>): string {
  return Buffer.from([...bytes]).toString('hex')
}

/** As `ipmitool raw 0x06 0x37` prints it. */
function rawBytes(uuid: string): string {
  return ` ${(uuid.replaceAll('-', '').match(/../g) ?? []).join(' ')}`
}
