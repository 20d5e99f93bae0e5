import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Hush } from '../../src/net/hush.ts'
import type { InUse } from '../../src/net/neighbour.ts'
import { type Machine, noNamespaces, startWire, type Wire } from './namespaces.ts'

const windowMs = 200

/** Drops all that comes in, but for what IPv6 cannot live without. */
const wall = `table inet wall {
  chain in {
    type filter hook input priority 0; policy drop
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
  }
}`

describe('on a wire with three machines', { skip: noNamespaces }, () => {
  let wire: Wire
  before(async () => {
    wire = await startWire()
  })
  after(() => wire?.down())

  const hush = (from: Machine, addresses: string[], options = {}): Promise<Hush> =>
    wire.probe(from, 'hush', [addresses, windowMs, options])
  const inUse = (from: Machine, nic: string, address: string): Promise<InUse> =>
    wire.probe(from, 'inUse', [nic, address, windowMs])
  const remembered = (machine: Machine, address: string): string =>
    /lladdr (\S+)/.exec(wire.on(machine, `ip neigh show ${address}`))?.[1] ?? 'nobody'

  for (const [family, address, ping] of [
    ['IPv4', '10.99.0.100', 'ping -c 1 -W 2'],
    ['IPv6', 'fd99::100', 'ping -6 -c 1 -W 2'],
  ] as const) {
    const as = `${address}/${family === 'IPv4' ? '24' : '64 nodad'} dev eth0`
    /** Runs while these machines, one after the other, hold the address. */
    const held = async (by: Machine, work: () => unknown): Promise<void> => {
      wire.on(by, `ip addr add ${as}`)
      try {
        await work()
      } finally {
        wire.on(by, `ip addr del ${as}`)
      }
    }

    test(`H2 ${family}: an announcement moves an address in the neighbours' tables`, async () => {
      await held('b', () => wire.on('a', `${ping} ${address} >/dev/null`))
      await held('c', async () => {
        assert.equal(remembered('a', address), wire.macOf('b'), 'it moved by itself')
        await wire.probe('c', 'announce', ['eth0', address])
        assert.equal(remembered('a', address), wire.macOf('c'))
        wire.on('a', `${ping} ${address} >/dev/null`)
      })
    })

    test(`H2 ${family}: an address that somebody holds is found, with its MAC`, async () => {
      await held('b', async () => {
        wire.on('b', 'ip neigh flush all')
        assert.deepEqual(await inUse('c', 'eth0', address), { inUse: true, mac: wire.macOf('b') })
        // The question itself must not change anybody's table.
        assert.ok(!wire.on('b', 'ip neigh show').includes(wire.macOf('c')))
      })
      assert.deepEqual(await inUse('c', 'eth0', address), { inUse: false })
    })

    test(`H2 ${family}: our own address is no conflict, on no interface of ours`, async () => {
      wire.on('a', `ip link add to-c2 type veth peer name eth1 netns ${wire.holder('c').pid}`)
      wire.on('a', 'ip link set to-c2 master bridge up')
      wire.on('c', 'ip link set eth1 up && ip addr add 10.98.0.1/24 dev eth1')
      try {
        await held('c', async () => {
          assert.deepEqual(await inUse('c', 'eth0', address), { inUse: false })
          assert.deepEqual(await inUse('c', 'eth1', address), { inUse: false })
          assert.equal((await inUse('b', 'eth0', address)).inUse, true)
        })
      } finally {
        wire.on('a', 'ip link del to-c2')
      }
    })
  }

  test('H2 two machines that ask for the same free address at once learn of each other', async () => {
    const asked = await Promise.all([
      wire.probe<InUse>('b', 'inUse', ['eth0', '10.99.0.101', 2000]),
      wire.probe<InUse>('c', 'inUse', ['eth0', '10.99.0.101', 2000]),
    ])
    assert.ok(asked.some((answer) => answer.inUse))
  })

  test('an interface that is missing, down or without neighbours is told apart', async () => {
    await assert.rejects(inUse('b', 'eth9', '10.99.0.101'), /there is no interface eth9/)
    await assert.rejects(inUse('b', 'eth0', 'x'), /x is no IPv4 or IPv6 address/)
    assert.deepEqual(await inUse('b', 'lo', '10.99.0.101'), { inUse: false })
    wire.on('b', 'ip link set eth0 down')
    await assert.rejects(inUse('b', 'eth0', '10.99.0.101'), /the interface is down/)
    wire.on('b', 'ip link set eth0 up && ip addr replace fd99::2/64 dev eth0 nodad')
  })

  describe('F8', () => {
    const up = 'ip link set eth0 up && ip addr replace fd99::2/64 dev eth0 nodad'
    const b4 = '10.99.0.2'
    const b6 = 'fd99::2'
    const both = [b4, b6]

    test('a machine that is alive answers on every address', async () => {
      const heard = await hush('a', [...both, '10.99.0.3'])
      assert.equal(heard.silent, false)
      assert.deepEqual(heard.answered, [...both, '10.99.0.3'])
    })

    test('a machine whose programs are all frozen still answers', async () => {
      wire.holder('b').kill('SIGSTOP')
      const heard = await hush('a', both)
      wire.holder('b').kill('SIGCONT')
      assert.deepEqual([heard.silent, heard.answered], [false, both])
    })

    test('a machine whose link is down is silent, and whoever is alive beside it is named', async () => {
      wire.on('b', 'ip link set eth0 down')
      try {
        assert.deepEqual(await hush('a', both), {
          silent: true,
          answered: [],
          unprobed: [],
          because: `no answer from ${b4}, ${b6} in ${windowMs} ms`,
        })
        const mixed = await hush('a', [b4, '10.99.0.3'])
        assert.deepEqual([mixed.silent, mixed.answered], [false, ['10.99.0.3']])
      } finally {
        wire.on('b', up)
      }
    })

    test('a firewall that drops everything does not hide a machine on our own wire', async () => {
      wire.on('b', `nft '${wall}'`)
      try {
        assert.throws(() => wire.on('a', `ping -c 1 -W 1 ${b4}`))
        assert.deepEqual((await hush('a', both)).answered, both)
      } finally {
        wire.on('b', 'nft delete table inet wall')
      }
    })

    test('a machine behind a router answers by echo, and by TCP where echo is dropped', async () => {
      wire.on('b', 'ip addr add 10.97.0.1/32 dev lo')
      wire.on('a', 'ip route add 10.97.0.1/32 via 10.99.0.2')
      assert.deepEqual((await hush('a', ['10.97.0.1'])).answered, ['10.97.0.1'])
      wire.on('b', 'sysctl -qw net.ipv4.icmp_echo_ignore_all=1')
      try {
        assert.equal((await hush('a', ['10.97.0.1'])).silent, true)
        const called = await hush('a', ['10.97.0.1'], { ports: [22] })
        assert.deepEqual(called.answered, ['10.97.0.1'], 'a refused connection is an answer')
      } finally {
        wire.on(
          'b',
          'sysctl -qw net.ipv4.icmp_echo_ignore_all=0 && ip addr del 10.97.0.1/32 dev lo',
        )
        wire.on('a', 'ip route del 10.97.0.1/32')
      }
    })

    test('what cannot be asked is told, and nothing learned is not silence', async () => {
      const nowhere = await hush('a', ['203.0.113.1', 'fe80::1', 'nonsense'])
      assert.equal(nowhere.silent, false)
      assert.deepEqual(nowhere.answered, [])
      assert.equal(nowhere.unprobed.length, 3)
      assert.match(nowhere.because, /nothing was learned.*203\.0\.113\.1 \(.*no route to it\)/)
      assert.equal((await hush('a', [])).silent, false)

      wire.on('b', 'ip link set eth0 down')
      try {
        const partly = await hush('a', [b4, '203.0.113.1'])
        assert.equal(partly.silent, true)
        assert.deepEqual(
          partly.unprobed.map(({ address }) => address),
          ['203.0.113.1'],
        )
      } finally {
        wire.on('b', up)
      }
    })

    test('our own cable out is not the silence of the others', async () => {
      wire.on('a', 'ip link set to-c down')
      try {
        const alone = await hush('c', both)
        assert.equal(alone.silent, false)
        assert.match(alone.because, /our own interface towards it has no link|no route to it/)
        assert.equal(alone.unprobed.length, 2)
      } finally {
        wire.on('a', 'ip link set to-c up')
      }
    })

    test('without the right to raw sockets nothing is learned, unless by TCP', async () => {
      const bare: Hush = await wire.probe('a', 'hush', [both, windowMs], true)
      assert.equal(bare.silent, false)
      assert.match(bare.because, /nothing was learned.*CAP_NET_RAW/)
      const called = await wire.probe<Hush>('a', 'hush', [[b4], windowMs, { ports: [22] }], true)
      assert.deepEqual(called.answered, [b4])
      const asked = wire.probe('a', 'inUse', ['bridge', b4, windowMs], true)
      await assert.rejects(asked, /CAP_NET_RAW/)
    })

    test('nobody is held up while we listen', async () => {
      const ticks: number = await wire.probe('a', 'ticksDuringHush', [['10.99.0.77'], 300])
      assert.ok(ticks >= 10, `${ticks}`)
    })
  })
})
