import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  addressBytes,
  arpAnnouncements,
  arpRequest,
  checksum,
  echoRequest,
  macText,
  neighbourAnnouncement,
  neighbourSolicitation,
  readAdvertisement,
  readArp,
} from '../../src/net/frame.ts'

const mac = Buffer.from('0200c0ffee01', 'hex')
const four = addressBytes('10.0.0.7') ?? assert.fail()
const six = addressBytes('2001:db8::7') ?? assert.fail()

test('addresses become bytes in every spelling, and nothing else does', () => {
  const spelled: [string, string][] = [
    ['10.0.0.7', '0a000007'],
    ['2001:db8::7', '20010db8000000000000000000000007'],
    ['2001:0DB8:0:0:0:0:0:7', '20010db8000000000000000000000007'],
    ['::', '00'.repeat(16)],
    ['::1', `${'00'.repeat(15)}01`],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['::ffff:10.0.0.7', '00000000000000000000ffff0a000007'],
    ['fe80::', `fe80${'00'.repeat(14)}`],
  ]
  for (const [text, hex] of spelled) assert.equal(addressBytes(text)?.toString('hex'), hex, text)
  for (const text of ['', '10.0.0', '10.0.0.7/24', 'fe80::1%eth0', 'web-02', '1::2::3']) {
    assert.equal(addressBytes(text), undefined, text)
  }
})

test('an ARP probe is the frame of RFC 5227, without a sender', () => {
  const frame = 'ffffffffffff0200c0ffee0108060001080006040001'
  const asked = `${frame}0200c0ffee01${'00000000'}${'000000000000'}0a000007`
  assert.equal(arpRequest(mac, four).toString('hex'), asked)
})

test('an address is announced as an ARP request and as a reply', () => {
  const head = 'ffffffffffff0200c0ffee010806000108000604'
  const [request, reply] = arpAnnouncements(mac, four).map((frame) => frame.toString('hex'))
  assert.equal(request, `${head}00010200c0ffee010a0000070000000000000a000007`)
  assert.equal(reply, `${head}00020200c0ffee010a0000070200c0ffee010a000007`)
})

test('what we write as ARP we read back', () => {
  const read = readArp(arpRequest(mac, four, addressBytes('10.0.0.1')))
  assert.ok(read)
  assert.equal(read.operation, 'request')
  assert.equal(macText(read.senderMac), '02:00:c0:ff:ee:01')
  assert.deepEqual([...read.sender, ...read.target], [10, 0, 0, 1, 10, 0, 0, 7])
})

test('neighbour discovery goes to the right group, with a checksum that holds', () => {
  const frames: [Buffer, string, string][] = [
    [neighbourSolicitation(mac, six), '3333ff000007', 'ff0200000000000000000001ff000007'],
    [neighbourSolicitation(mac, six, six), '3333ff000007', 'ff0200000000000000000001ff000007'],
    [neighbourAnnouncement(mac, six, false), '333300000001', `ff02${'0'.repeat(27)}1`],
  ]
  for (const [frame, destination, group] of frames) {
    assert.equal(frame.subarray(0, 6).toString('hex'), destination)
    assert.equal(frame.subarray(38, 54).toString('hex'), group)
    assert.equal(frame[21], 255, 'hop limit')
    const message = frame.subarray(54)
    assert.equal(frame.readUInt16BE(18), message.length)
    const pseudo = Buffer.from([0, 0, 0, message.length, 0, 0, 0, 58])
    assert.equal(checksum(Buffer.concat([frame.subarray(22, 54), pseudo, message])), 0)
  }
})

test('an announcement overrides, and says whether we are a router', () => {
  assert.equal(neighbourAnnouncement(mac, six, false)[58], 0x20)
  assert.equal(neighbourAnnouncement(mac, six, true)[58], 0xa0)
  const read = readAdvertisement(neighbourAnnouncement(mac, six, false).subarray(54))
  assert.deepEqual(read, { target: six, mac })
})

test('an echo request of version 4 carries its checksum', () => {
  assert.equal(checksum(echoRequest(4, 0x1234, 1)), 0)
  assert.equal(echoRequest(6, 0x1234, 1)[0], 128)
})

test('whatever comes from the wire is read or ignored, and never throws or hangs', () => {
  const heads = [Buffer.alloc(0), arpRequest(mac, four), neighbourAnnouncement(mac, six, true)]
  const bytes = fc.uint8Array({ maxLength: 200 })
  fc.assert(
    fc.property(fc.constantFrom(...heads), fc.nat(100), bytes, (head, cut, tail) => {
      const frame = Buffer.concat([head.subarray(0, cut), tail])
      const arp = readArp(frame)
      assert.ok(arp === undefined || arp.sender.length === 4)
      for (const message of [frame, frame.subarray(54), Buffer.concat([Buffer.of(136), frame])]) {
        const read = readAdvertisement(message)
        assert.ok(read === undefined || read.target.length === 16)
        assert.ok(read?.mac === undefined || read.mac.length === 6)
      }
    }),
  )
})
