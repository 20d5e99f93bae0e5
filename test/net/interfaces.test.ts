/** Against the real kernel; `ip` is the referee. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import type { Addressed, Holder } from '../../src/net/interfaces.ts'
import type { IpAddress } from '../../src/net/rtnetlink.ts'
import { noNamespaces, startWire, type Wire } from './namespaces.ts'

const lone4: IpAddress = { text: '10.99.0.100', family: 4, prefix: 32 }
const lone6: IpAddress = { text: 'fd99::100', family: 6, prefix: 128 }
const wide4: IpAddress = { text: '10.98.0.100', family: 4, prefix: 24 }
const wide6: IpAddress = { text: 'fd98::100', family: 6, prefix: 64 }

describe('the interfaces of a machine', { skip: noNamespaces }, () => {
  let wire: Wire
  before(async () => {
    wire = await startWire()
  })
  after(() => wire?.down())

  const ip = (command: string) => wire.on('b', `ip ${command}`)
  const find = (address: IpAddress) => wire.probe<Holder[]>('b', 'findHolders', [address])
  const add = (name: string, address: IpAddress) =>
    wire.probe<null>('b', 'addAddress', [name, address])
  const remove = (holder: Holder) => wire.probe<null>('b', 'removeAddress', [holder])
  const read = (family: 4 | 6) => wire.probe<Addressed[]>('b', 'readInterfaces', [family])
  const shown = (address: IpAddress) => {
    const all = JSON.parse(ip('-j addr show')).flatMap(
      (link: { ifname?: string; addr_info?: { local?: string }[] }) =>
        (link.addr_info ?? []).map((info) => ({ dev: link.ifname, ...info })),
    )
    return all.filter(({ local }: { local?: string }) => local === address.text)
  }

  for (const address of [lone4, lone6, wide4, wide6]) {
    const { text, family, prefix } = address
    test(`${text}/${prefix} comes and goes`, async () => {
      assert.deepEqual(await find(address), [])
      await add('eth0', address)
      await add('eth0', address)
      const [{ valid_life_time: lifeTime, ...seen }, ...more] = shown(address)
      assert.deepEqual(more, [])
      assert.equal(lifeTime, 0xffffffff, 'for ever')
      assert.deepEqual(
        [seen.dev, seen.prefixlen, seen.scope, seen.broadcast, seen.tentative],
        ['eth0', prefix, 'global', undefined, undefined],
      )
      assert.equal(seen.nodad, family === 6 ? true : undefined)
      assert.equal(seen.deprecated, prefix === 128 ? true : undefined)
      const [holder, ...others] = await find(address)
      assert.deepEqual(others, [])
      assert.ok(holder)
      assert.deepEqual([holder.link.name, holder.link.up], ['eth0', true])
      assert.deepEqual(holder.as, { text, family, prefix, peer: text, duplicate: false })
      await remove(holder)
      assert.deepEqual(shown(address), [])
      await remove(holder)
    })
  }

  test('an address is found wherever it is, with whatever prefix and peer', async () => {
    ip(`addr add ${wide4.text}/16 dev lo`)
    ip(`addr add ${wide4.text} peer 10.97.0.1/32 dev eth0`)
    ip(`addr add ${wide6.text} peer fd97::1/128 dev eth0 nodad`)
    const found = [...(await find(wide4)), ...(await find(wide6))]
    assert.deepEqual(
      found.map(({ link, as }) => [link.name, as.prefix, as.peer]),
      [
        ['lo', 16, wide4.text],
        ['eth0', 32, '10.97.0.1'],
        ['eth0', 128, 'fd97::1'],
      ],
    )
    for (const holder of found) await remove(holder)
    assert.deepEqual([...shown(wide4), ...shown(wide6)], [])
  })

  test('interfaces are what `ip` says that they are', async () => {
    ip('link add down0 type veth peer name down1')
    ip('link add mute0 type veth peer name mute1')
    ip('link set mute0 up && ip link set mute1 arp off up')
    const expected = JSON.parse(ip('-j addr show')).map(
      (link: { ifname: string; ifindex: number; flags: string[] }) => ({
        name: link.ifname,
        index: link.ifindex,
        up: link.flags.includes('UP') && link.flags.includes('LOWER_UP'),
        resolves: !link.flags.includes('NOARP') && !link.flags.includes('LOOPBACK'),
        loopback: link.flags.includes('LOOPBACK'),
      }),
    )
    const found = await read(4)
    assert.deepEqual(
      found.map(({ addresses: _, ...link }) => link),
      expected,
    )
    const eth0 = found.find(({ name }) => name === 'eth0')
    assert.deepEqual(
      eth0?.addresses.map(({ text, prefix }) => `${text}/${prefix}`),
      ['10.99.0.2/24'],
    )
    ip('link del down0 && ip link del mute0')
  })

  test('an address that the kernel has found to be a duplicate says so', async () => {
    wire.on('c', `ip addr add ${lone6.text}/64 dev eth0 nodad`)
    ip(`addr add ${lone6.text}/64 dev eth0`)
    const isFailed = () => shown(lone6)[0]?.dadfailed === true
    for (let tries = 0; tries < 100 && !isFailed(); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    const [holder] = await find(lone6)
    assert.equal(holder?.as.duplicate, true)
    assert.ok(holder)
    await remove(holder)
    wire.on('c', `ip addr del ${lone6.text}/64 dev eth0`)
  })

  test('what is refused says what, where and what to do', async () => {
    await assert.rejects(add('eth9', lone4), {
      message: /10\.99\.0\.100\/32 cannot be added to eth9: there is no such interface on this/,
    })
    await assert.rejects(wire.probe('b', 'addAddress', ['eth0', lone4], true), {
      message: /cannot be added to eth0: this needs root, or the capability CAP_NET_ADMIN/,
    })
    wire.on('b', 'echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6')
    await assert.rejects(add('eth0', lone6), {
      message: /fd99::100\/128 cannot be added to eth0: IPv6 is switched off on this interface/,
    })
    wire.on('b', 'echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6')
    await assert.rejects(add('eth0', { ...lone4, prefix: 33 }), {
      message: /cannot be added to eth0: the kernel takes it for senseless/,
    })
    assert.deepEqual(shown(lone4), [])
  })

  test('what is gone with its interface is gone', async () => {
    ip('link add gone0 type veth peer name gone1')
    await add('gone0', wide4)
    const [holder] = await find(wide4)
    assert.ok(holder)
    ip('link del gone0')
    await remove(holder)
    assert.deepEqual(await find(wide4), [])
  })

  test('after an abort nothing is changed any more', async () => {
    await add('eth0', wide4)
    const message = /it was aborted in time/
    const [holder] = await find(wide4)
    await assert.rejects(wire.probe('b', 'addAddressAborted', ['eth0', lone4]), { message })
    await assert.rejects(wire.probe('b', 'removeAddressAborted', [holder]), { message })
    assert.equal(shown(lone4).length, 0)
    assert.equal(shown(wide4).length, 1)
    assert.ok(holder)
    await remove(holder)
  })

  test('thousands of addresses are all read, in many pieces', async () => {
    const all = Array.from({ length: 3000 }, (_, n) => `10.96.${n >> 8}.${n & 255}`)
    const batch = (verb: string) =>
      wire.on(
        'b',
        `for i in $(seq 0 2999); do echo "addr ${verb} 10.96.$((i / 256)).$((i % 256))/32 ` +
          'dev eth0"; done | ip -batch -',
      )
    batch('add')
    const eth0 = (await read(4)).find(({ name }) => name === 'eth0')
    const found = new Set(eth0?.addresses.map(({ text }) => text))
    assert.deepEqual(
      all.filter((text) => !found.has(text)),
      [],
    )

    // While others come and go all the time, one that stays is never missed.
    const stays: IpAddress = { text: '10.96.11.183', family: 4, prefix: 32 }
    const script =
      'while ip addr add 10.1.1.1/32 dev lo && ip addr del 10.1.1.1/32 dev lo; do sleep 0.01; done'
    const churn = spawn('nsenter', ['-t', `${wire.holder('b').pid}`, '-n', 'sh', '-c', script], {
      detached: true,
      stdio: 'ignore',
    })
    try {
      const counts = await wire.probe<number[]>('b', 'findOften', [stays, 100])
      assert.deepEqual(counts, [100, 0])
    } finally {
      process.kill(-churn.pid!, 'SIGKILL')
    }
  })
})
