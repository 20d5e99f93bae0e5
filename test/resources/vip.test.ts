import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { vip } from '../../src/resources/vip.ts'
import { until } from './room.ts'
import { layWire, type Machine, noWire, type Wire } from './wire.ts'

const onWire = { skip: noWire }

const families = [
  {
    family: 'IPv4',
    address: '10.99.0.100',
    other: '10.99.0.101',
    prefix: 32,
    ping: 'ping -c1 -W2',
  },
  {
    family: 'IPv6',
    address: 'fd99::100',
    other: 'fd99::101',
    prefix: 128,
    ping: 'ping -6 -c1 -W2',
  },
]

for (const { family, address, other, prefix, ping } of families) {
  // Most of a test is waiting.
  suite(`an ${family} address`, { concurrency: 4 }, () => {
    test(`an ${family} address is started, found, watched and stopped`, onWire, async (t) => {
      const wire = layWire(t)
      const node = wire.node('a', { address })
      assert.equal((await node.do('probe')).outcome, 'stopped')
      const started = await node.do('start')
      assert.deepEqual([started.outcome, started.said], ['done', []])
      assert.match(started.detail, /eth0 holds it; no other machine answers for it/)
      wire.on('client', `${ping} ${address}`)
      assert.equal((await node.do('probe')).outcome, 'running')
      assert.equal((await node.do('monitor')).outcome, 'running')
      assert.equal((await node.do('start')).outcome, 'done', 'starting twice does no harm')
      assert.equal((await node.do('stop')).outcome, 'done')
      assert.doesNotMatch(wire.on('a', 'ip addr show'), new RegExp(`${address}/`))
      assert.equal((await node.do('monitor')).outcome, 'stopped')
      assert.equal((await node.do('stop')).outcome, 'done', 'stopping twice does no harm')
      t.diagnostic(`${family} start with a probe: ${started.tookMs.toFixed(1)} ms`)
    })

    test(
      `an ${family} address that somebody answers for is refused, with who it is`,
      onWire,
      async (t) => {
        const wire = layWire(t)
        hold(wire, 'b', `${address}/${prefix}`)
        const node = wire.node('a', { address })
        const ran = await node.do('start')
        assert.equal(ran.outcome, 'failed')
        assert.ok(
          ran.detail.startsWith(`${address} is answered by ${wire.mac('b')}; is another`),
          ran.detail,
        )
        assert.doesNotMatch(wire.on('a', 'ip addr show'), new RegExp(`${address}/`))
        assert.ok(ran.tookMs > 900, 'a holder is given a second to fall silent')
      },
    )

    test(
      `a start waits for the old holder of an ${family} address to fall silent`,
      onWire,
      async (t) => {
        const wire = layWire(t)
        const node = wire.node('a', { address })
        // On a busy machine the holder may leave too early or too late: then once more.
        for (let attempt = 0; attempt < 5; attempt++) {
          hold(wire, 'b', `${address}/${prefix}`)
          const starting = node.do('start')
          await sleep(300)
          wire.on('b', `ip addr del ${address}/${prefix} dev eth0`)
          const { outcome, detail } = await starting
          if (outcome === 'done' && detail.endsWith(`since ${wire.mac('b')} fell silent`)) return
          await node.do('stop')
        }
        assert.fail('no start has waited')
      },
    )

    test(`the client's table follows an ${family} address without asking`, onWire, async (t) => {
      const wire = layWire(t)
      const b = wire.node('b', { address, announce: 1 })
      const a = wire.node('a', { address, announce: 1 })
      await b.do('start')
      wire.on('client', `${ping} ${address}`)
      assert.match(neighbour(wire, address), new RegExp(wire.mac('b')))
      await b.do('stop')
      await a.do('start')
      await until('the client knows', () => neighbour(wire, address).includes(wire.mac('a')))
      wire.on('client', `${ping} ${address}`)
    })

    test(
      `a prepared start of an ${family} address has nothing left to wait for`,
      onWire,
      async (t) => {
        const wire = layWire(t)
        const node = wire.node('a', { address })
        await node.do('prepare')
        await sleep(400)
        assert.doesNotMatch(
          wire.on('a', 'ip addr show'),
          new RegExp(`${address}/`),
          'nothing is touched',
        )
        const ran = await node.do('start')
        assert.equal(ran.outcome, 'done')
        assert.match(ran.detail, /no other machine answered for it \d+ ms before/)
        t.diagnostic(`prepared ${family} start: ${ran.tookMs.toFixed(1)} ms`)
        assert.ok(ran.tookMs < 1000)
      },
    )

    test(
      `a preparation that heard somebody does not let a start skip the question (${family})`,
      onWire,
      async (t) => {
        const wire = layWire(t)
        hold(wire, 'b', `${address}/${prefix}`)
        const node = wire.node('a', { address })
        await node.do('prepare')
        await sleep(300)
        assert.equal((await node.do('start')).outcome, 'failed')
      },
    )

    test(`a start after a handover of an ${family} address asks but briefly`, onWire, async (t) => {
      const wire = layWire(t)
      hold(wire, 'b', `${address}/${prefix}`)
      const node = wire.node('a', { address })
      await node.do('prepare')
      await sleep(400)
      wire.on('b', `ip addr del ${address}/${prefix} dev eth0`)
      const ran = await node.do('start')
      assert.equal(ran.outcome, 'done')
      assert.match(
        ran.detail,
        new RegExp(`${wire.mac('b')}, which had it \\d+ ms before, is silent`),
      )
      t.diagnostic(`${family} start after a handover: ${ran.tookMs.toFixed(1)} ms`)
    })

    test(`a silence that was heard too long ago does not count (${family})`, onWire, async (t) => {
      const wire = layWire(t)
      const node = wire.node('a', { address })
      await node.do('prepare')
      await sleep(400)
      const frozen = node.freeze(3500)
      hold(wire, 'b', `${address}/${prefix}`)
      // Waiting in its pipe when it wakes up: it comes before anything new is learned.
      const starting = node.do('start')
      await frozen
      assert.equal((await starting).outcome, 'failed')
    })

    test(`a rival for an ${family} address that we hold is named`, onWire, async (t) => {
      const wire = layWire(t)
      const node = wire.node('a', { address })
      await node.do('start')
      hold(wire, 'b', `${address}/${prefix}`)
      const ran = await node.do('monitor')
      assert.equal(ran.outcome, 'running', 'who has the right is not for a monitor to say')
      assert.match(ran.said.join(), new RegExp(`${wire.mac('b')} answers for ${address}`))
      hold(wire, 'b', `${other}/${prefix}`)
    })
  })
}

test('a start that is out of time while it asks adds nothing later', onWire, async (t) => {
  const wire = layWire(t)
  const node = wire.node('a', { address: '10.99.0.100' })
  await node.do('probe')
  // The wire is asked for 100 ms.
  const ran = await node.do('start', 50)
  assert.equal(ran.outcome, 'failed')
  assert.equal(ran.detail, 'it took longer than its 0.05 s; it was aborted in time')
  assert.ok(!wire.on('a', 'ip addr show').includes('10.99.0.100/'))
  assert.equal((await node.do('start')).outcome, 'done')
})

test('an address on a link that is down is still found', onWire, async (t) => {
  const wire = layWire(t)
  const node = wire.node('a', { address: '10.99.0.100' })
  await node.do('start')
  wire.on('a', 'ip link set eth0 down')
  assert.equal((await node.do('probe')).outcome, 'running')
})

test('a link that stays down fails its address, one that flaps does not', onWire, async (t) => {
  const wire = layWire(t)
  const node = wire.node('a', { address: '10.99.0.100' })
  await node.do('start')
  const carrier = (state: 'up' | 'down') => {
    wire.on('client', `ip link set to-a ${state}`)
    return until(
      `the carrier is ${state}`,
      () => wire.on('a', 'ip link show eth0').includes('LOWER_UP') === (state === 'up'),
    )
  }
  for (let flap = 0; flap < 4; flap++) {
    await carrier('down')
    assert.equal((await node.do('monitor')).outcome, 'running')
    await carrier('up')
    assert.equal((await node.do('monitor')).outcome, 'running')
  }
  await carrier('down')
  assert.equal((await node.do('monitor')).outcome, 'running')
  assert.equal((await node.do('monitor')).outcome, 'running')
  const ran = await node.do('monitor')
  assert.equal(ran.outcome, 'failed')
  assert.match(ran.detail, /eth0 holds it and has no link/)
  assert.equal((await node.do('stop')).outcome, 'done')
  const again = await node.do('start')
  assert.equal(again.outcome, 'failed')
  assert.match(again.detail, /eth0 has no link/)
})

test('an address is stopped wherever it is, with whatever prefix', onWire, async (t) => {
  const wire = layWire(t)
  const node = wire.node('a', { address: '10.99.0.100', interface: 'eth0' })
  wire.on('a', 'ip addr add 10.99.0.100/16 dev lo')
  assert.equal((await node.do('probe')).outcome, 'running')
  assert.equal((await node.do('monitor')).outcome, 'failed')
  assert.equal((await node.do('stop')).outcome, 'done')
  assert.equal((await node.do('probe')).outcome, 'stopped')
})

test("an address that goes away does not take its network's others along", onWire, async (t) => {
  const wire = layWire(t)
  const node = wire.node('a', { address: '10.98.0.100/24', interface: 'eth0' })
  assert.equal((await node.do('start')).outcome, 'done')
  wire.on('a', 'ip addr add 10.98.0.101/24 dev eth0')
  assert.equal((await node.do('stop')).outcome, 'done')
  assert.match(wire.on('a', 'ip addr show'), /10\.98\.0\.101\//)
})

test('an address that belongs to no network here says what is missing', onWire, async (t) => {
  const wire = layWire(t)
  const ran = await wire.node('a', { address: '192.0.2.7' }).do('start')
  assert.equal(ran.outcome, 'failed')
  assert.match(ran.detail, /no interface here has a network that contains 192\.0\.2\.7; name one/)
  const named = await wire.node('b', { address: '192.0.2.7', interface: 'eth9' }).do('start')
  assert.match(named.detail, /there is no interface eth9 on this node/)
})

test('one address written in several ways is one thing', () => {
  const thing = (address: string) => vip.open({ address }).thing
  assert.equal(thing('10.77.0.100'), 'address 10.77.0.100')
  assert.equal(thing('10.77.0.100/24'), 'address 10.77.0.100')
  for (const address of [
    '2001:DB8:0:0::1',
    '2001:db8::1/64',
    '2001:0db8:0000:0000:0000::0.0.0.1',
  ]) {
    assert.equal(thing(address), 'address 2001:db8::1')
  }
})

test('what cannot be a virtual address is refused with a reason', () => {
  const refusal = (address: string) => {
    try {
      return `accepted ${vip.open({ address }).thing}`
    } catch (error) {
      return (error as Error).message
    }
  }
  assert.match(refusal('10.0.0'), /is no IPv4 or IPv6 address/)
  assert.match(refusal('10.0.0.1/33'), /needs a prefix between/)
  assert.match(refusal('10.0.0.0/24'), /network's own address/)
  assert.match(refusal('10.0.0.255/24'), /broadcast address/)
  assert.match(refusal('127.0.0.1'), /loopback/)
  assert.match(refusal('224.0.0.18'), /multicast/)
  assert.match(refusal('::1'), /loopback/)
  assert.match(refusal('ff02::1'), /multicast/)
  assert.match(refusal('fe80::1%eth0'), /is no IPv4 or IPv6 address/)
  assert.match(refusal('::ffff:10.0.0.1'), /write it as IPv4/)
})

function hold(wire: Wire, machine: Machine, address: string): void {
  wire.on(machine, `ip addr add ${address} dev eth0${address.includes(':') ? ' nodad' : ''}`)
}

function neighbour(wire: Wire, address: string): string {
  return wire.on('client', `ip neigh show ${address} dev eth0`)
}
