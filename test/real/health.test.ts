/**
 * Health checks on a real cluster: a web server that answers with errors is restarted in place, and
 * moves when that has not helped; a node whose check fails is not chosen; and what fails everywhere
 * moves nothing.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { askOnce } from '../../src/cli/control.ts'
import { statusIn } from '../../src/cli/status.ts'
import type { Explanation } from '../../src/core/explain.ts'
import { downLab, exec, initOf, type Lab, upLab, whyNoLab } from '../../src/lab/lab.ts'
import { eventually, quiet } from './cluster.ts'

const name = `health-${process.pid}`
const skip = whyNoLab() ?? false
const folder = mkdtempSync(join(tmpdir(), 'picket-health-'))
const log = join(folder, 'deeds')

/** It answers 503 on a node where /run/sick is. */
const server = `
const { appendFileSync, existsSync } = require('node:fs')
const { hostname } = require('node:os')
appendFileSync(${JSON.stringify(log)}, hostname() + ' up\\n')
require('node:http').createServer((_, response) => {
  response.writeHead(existsSync('/run/sick') ? 503 : 200).end('shop')
}).listen(8080, '127.0.0.1')
`

const resources = [
  {
    ...{ id: 'web', type: 'exec', monitor_every_seconds: 2 },
    run: [process.execPath, '-e', server],
    health: 'answers',
    only_where: 'gateway',
  },
]

const extra = `
timing: { cool_down_seconds: 20 }
checks:
  - id: answers
    type: http
    url: http://127.0.0.1:8080/
    contains: shop
    every_seconds: 1
    fall: 2
  - id: gateway
    type: exec
    run: [sh, -c, "test ! -e /run/no-gateway || { echo gone; exit 1; }"]
    every_seconds: 1
    fall: 2
`

describe('health checks on a real cluster', { skip }, () => {
  let lab: Lab
  before(async () => {
    writeFileSync(log, '')
    lab = await upLab({ name, nodes: 3, profile: 'lan', resources, extra })
  })
  after(async () => {
    await downLab(name)
    rmSync(folder, { recursive: true })
  })

  const deeds = (): string[] => readFileSync(log, 'utf8').split('\n').filter(Boolean)
  const mark = (node: string, what: string) => exec(lab, node, ['touch', `/run/${what}`])
  const unmark = (node: string, what: string) => exec(lab, node, ['rm', '-f', `/run/${what}`])

  async function ask(node: string, request: object) {
    const init = initOf(lab, node)
    if (init === undefined) return undefined
    const socket = `/proc/${init.pid}/root/run/picket/control.sock`
    return await askOnce(socket, request, 2_000).catch(() => undefined)
  }

  async function statusFrom(node: string) {
    const line = await ask(node, { do: 'status' })
    return line && statusIn(line)
  }

  async function explanation(): Promise<Explanation> {
    const line = await ask('node1', { do: 'explain', resource: 'web' })
    assert.ok(line)
    return line.explanation as Explanation
  }

  async function placeFrom(node: string): Promise<string | undefined> {
    const web = (await statusFrom(node))?.resources.find(({ id }) => id === 'web')
    return web?.state === 'running' ? web.node : undefined
  }

  const settled = (what: string, not = '') =>
    eventually(what, async () => {
      const at = await placeFrom('node1')
      return at !== undefined && at !== not ? at : undefined
    })

  const fails = async (check: string, ...nodes: readonly string[]) =>
    await eventually(`${check} fails on ${nodes}`, async () => {
      const seen = (await statusFrom('node1'))?.nodes ?? []
      return nodes.every((node) =>
        seen
          .find(({ id }) => id === node)
          ?.checks.some((each) => each.check === check && each.verdict === 'failing'),
      )
    })

  test('H4 what answers with errors is restarted in place, then moves', async (t) => {
    const at = await settled('the server is up')
    // It counts as started before it has written anything.
    await eventually('it has begun', () => deeds().length > 0)
    assert.deepEqual(deeds(), [`${at} up`])
    const beganMs = performance.now()
    await mark(at, 'sick')
    const now = await settled('the server is up elsewhere', at)
    t.diagnostic(
      `from the first 503 to another node: ${Math.round(performance.now() - beganMs)} ms`,
    )
    await eventually('it has begun there', () => deeds().length > 2)
    assert.deepEqual(deeds(), [`${at} up`, `${at} up`, `${now} up`])
    await unmark(at, 'sick')
    const { wishes } = await explanation()
    assert.ok(wishes.includes('healthy while answers succeeds'))
  })

  test('H4 a node whose check fails is not chosen, and what runs leaves it', async () => {
    const at = await settled('the server is up')
    const others = lab.nodes.filter((node) => node !== at)
    // Where it has failed before it is welcome again when that is forgotten.
    await quiet(21_000)
    const [sick, well] = others as [string, string]
    await mark(sick, 'no-gateway')
    await fails('gateway', sick)
    await mark(at, 'no-gateway')
    assert.equal(await settled('the server is up elsewhere', at), well)
    const { elsewhere } = await explanation()
    assert.match(elsewhere[sick] ?? '', /the check gateway fails there: exited with 1: "gone"/)
  })

  test('H4 what fails on all nodes moves nothing', async () => {
    const at = await settled('the server is up')
    const before = deeds()
    for (const node of lab.nodes) await mark(node, 'no-gateway')
    await fails('gateway', ...lab.nodes)
    await quiet(5_000)
    assert.equal(await placeFrom('node1'), at)
    assert.deepEqual(deeds(), before)
    for (const node of lab.nodes) await unmark(node, 'no-gateway')
  })
})
