/** Where a request goes: IPv6 addresses with their ports and zones, and never through a proxy. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openDevice } from '../../src/fence/device.ts'
import { http } from '../../src/fence/drivers/http.ts'
import { ipmi } from '../../src/fence/drivers/ipmi.ts'
import { proxmox } from '../../src/fence/drivers/proxmox.ts'
import { redfish } from '../../src/fence/drivers/redfish.ts'
import { openWire } from '../../src/fence/wire.ts'
import { httpStand } from './http-stand.ts'

const rule = { status: { off: ['off'], on: ['on'] }, off: {}, on: {} }
const login = { user: 'u', password: 'p' }

test('an IPv6 address keeps its port, and each box has one name', async () => {
  const server = createServer((_, response) => response.end('on'))
  server.listen(0, '::1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  try {
    const options = { url: `http://[::1]:${port}`, ...rule }
    const device = openDevice({ id: 'a/1/1', driver: http, options })
    assert.equal((await device.read({ timeoutMs: 2_000 })).power, 'on')
  } finally {
    server.close()
  }
  const v6 = { host: 'fd00::7', ...login }
  assert.equal(ipmi.endpoint(ipmi.options.parse(v6)), '[fd00::7]:623')
  assert.equal(redfish.endpoint(redfish.options.parse({ ...v6, port: 8443 })), '[fd00::7]:8443')
})

test('a zone is kept where sockets take it, and refused where a URL cannot hold it', async () => {
  const [zoned] = Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses
      .filter(({ family, scopeid }) => family === 'IPv6' && scopeid)
      .map(({ address }) => `${address}%${name}`),
  )
  const host = zoned ?? '::1%lo'
  const device = createSocket('udp6')
  device.on('message', (packet, { port, address }) => device.send(packet, port, address))
  await new Promise<void>((resolve) => device.bind(0, '::', resolve))
  const { wire } = openWire({
    signal: AbortSignal.timeout(2_000),
    deadlineMs: performance.now() + 2_000,
  })
  const line = await wire.datagrams({ host, port: device.address().port })
  try {
    line.send(Buffer.from('ping'), 'question')
    assert.equal(String(await line.receive(1_000)), 'ping')
  } finally {
    line.close()
    device.close()
  }
  assert.equal(ipmi.endpoint(ipmi.options.parse({ host, ...login })), `[${host}]:623`)
  const { error: refused } = redfish.options.safeParse({ host, ...login })
  assert.match(refused?.message ?? '', /is not an address/)
  for (const zone of ['%', '%25']) {
    const url = `https://[fe80::1${zone}eth0]:8006`
    assert.equal(http.options.safeParse({ url, ...rule }).success, false)
    const token = { token_id: 'a@pam!b', token_secret: 'c', vmid: 100 }
    assert.equal(proxmox.options.safeParse({ api_url: url, ...token }).success, false)
  }
})

/** Asks a device twice, and then anybody at all, through what Node does by itself. */
const asking = (urls: readonly string[], fingerprint: string) => `
  import { get } from 'node:http'
  import { openDevice } from '${join(import.meta.dirname, '../../src/fence/device.ts')}'
  import { http } from '${join(import.meta.dirname, '../../src/fence/drivers/http.ts')}'
  for (const url of ${JSON.stringify(urls)}) {
    const options = { url, fingerprint: '${fingerprint}', ...${JSON.stringify(rule)} }
    const device = openDevice({ id: 'a/1/1', driver: http, options })
    console.log((await device.read({ timeoutMs: 2_000 })).power)
  }
  get('http://192.0.2.1/', (answer) => answer.resume()).on('error', () => undefined)
`

test('no request to a device goes through a proxy of the environment', async () => {
  const proxied: string[] = []
  const proxy = createTcpServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', (text) => {
      proxied.push(String(text).split('\r\n')[0] ?? '')
      socket.end('HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
    })
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const plain = createServer((_, response) => response.end('on'))
  plain.listen(0, '127.0.0.1')
  await once(plain, 'listening')
  const secure = await httpStand(() => ({ status: 200, body: 'on' }))
  const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port
  const through = `http://127.0.0.1:${portOf(proxy)}`
  const urls = [`http://127.0.0.1:${portOf(plain)}`, secure.url]
  const child = spawn(
    process.execPath,
    ['--input-type=module-typescript', '-e', asking(urls, secure.fingerprint)],
    {
      env: { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: through, HTTPS_PROXY: through },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  try {
    let said = ''
    child.stdout.on('data', (text) => (said += text))
    await once(child, 'close')
    assert.equal(said, 'on\non\n')
    // What Node sends by itself does go there: the trap is one.
    assert.equal(proxied.length, 1, proxied.join())
    assert.match(proxied[0] ?? '', /192\.0\.2\.1/)
  } finally {
    for (const server of [proxy, plain]) server.close()
    await secure.close()
  }
})
