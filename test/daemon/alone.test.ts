/** An order from a machine without picketd that is given up. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadConfig } from '../../src/config/load.ts'
import { orderAlone } from '../../src/daemon/alone.ts'
import { recordsInMemory } from '../../src/daemon/records.ts'
import { createNet } from '../../src/foreign/mask.ts'
import { folder } from '../config/files.ts'

for (const how of ['stopped', 'not wanted any more']) {
  test(`S14 what is ${how} is not sent, however long its login takes`, async (t) => {
    const heard: string[] = []
    const plug = createServer(({ method = '', url = '' }, response) => {
      heard.push(`${method} ${url}`)
      response.end('on')
    })
    await new Promise<void>((resolve) => plug.listen(0, '127.0.0.1', resolve))
    t.after(() => plug.close())
    const { port } = plug.address() as AddressInfo
    const dir = folder(t, {
      'config.yaml': `cluster:
  name: test
  nodes:
    - name: node-01
      fence:
        driver: http
        url: http://127.0.0.1:${port}
        off: { method: POST, path: /off }
        on: { method: POST, path: /on }
        status: { path: /power, off: ["off"], on: ["on"] }
`,
    })
    const result = await loadConfig(join(dir, 'config.yaml'))
    assert.ok(result.ok)
    const { core, devices } = result.loaded
    const began = Promise.withResolvers<void>()
    const slow = [...devices.values()].map((device) => ({
      ...device,
      driver: {
        ...device.driver,
        powerOff: async (...args: Parameters<typeof device.driver.powerOff>) => {
          began.resolve()
          // A login that takes its time.
          await sleep(500)
          await device.driver.powerOff(...args)
        },
      },
    }))
    const stop = new AbortController()
    let wanted = true
    const ended = orderAlone({
      ...{ config: core, devices: slow, stateDir: recordsInMemory(), action: 'off' },
      ...{ target: 'node-01', requester: 'test', reason: 'test', progress: () => {} },
      ...{ clean: createNet([]), stop: stop.signal, wanted: () => wanted },
    })
    await began.promise
    if (how === 'stopped') stop.abort()
    wanted = false
    await sleep(1_000)
    stop.abort()
    assert.notEqual((await ended)?.at, 'done')
    assert.ok(heard.includes('GET /power'))
    assert.deepEqual(
      heard.filter((line) => line !== 'GET /power'),
      [],
    )
  })
}
