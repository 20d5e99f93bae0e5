/**
 * A clone on a real cluster: a service on every node and an address beside one of them. When the
 * service fails there the address goes to a node where it is well, and when a node dies the others
 * go on without an interruption.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { askOnce } from '../../src/cli/control.ts'
import { statusIn } from '../../src/cli/status.ts'
import type { CloneExplanation } from '../../src/core/explain.ts'
import type { Status } from '../../src/core/status.ts'
import {
  crash,
  downLab,
  exec,
  initOf,
  type Lab,
  power,
  upLab,
  VIP,
  whyNoLab,
} from '../../src/lab/lab.ts'
import { home } from '../../src/lab/names.ts'
import { eventually } from './cluster.ts'

const name = `clones-${process.pid}`
const skip = whyNoLab() ?? false
const folder = mkdtempSync(join(tmpdir(), 'picket-clones-'))
const log = join(folder, 'deeds')

/** Up as long as its file is there, and it writes down what it does; a node may be barred. */
const program = (id: string) => {
  const mark = `/run/${id}.up`
  const note = (word: string) => `echo "$(hostname) $PICKET_RESOURCE ${word}" >> ${log}`
  const start = `test ! -e ${folder}/$(hostname).${id} && touch ${mark} && ${note('up')}`
  return {
    ...{ id, type: 'exec', monitor_every_seconds: 1, clone: true },
    start: ['sh', '-c', start],
    stop: ['sh', '-c', `test ! -e ${mark} || { rm ${mark}; ${note('down')}; }`],
    monitor: ['sh', '-c', `test -e ${mark} || exit 7`],
  }
}

const resources = [
  program('web'),
  { ...program('cache'), clone: 2 },
  {
    id: 'address',
    type: 'vip',
    address: `${VIP}/24`,
    interface: 'eth0',
    beside: 'web',
    after: 'web',
  },
]

describe('clones on a real cluster', { skip }, () => {
  let lab: Lab
  before(async () => {
    writeFileSync(log, '')
    lab = await upLab({ name, nodes: 3, profile: 'lan', resources })
  })
  after(async () => {
    await downLab(name)
    rmSync(folder, { recursive: true })
  })

  const deeds = (of: string): string[] =>
    readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => line.split(' ')[1] === of)

  async function ask(node: string, request: object) {
    const init = initOf(lab, node)
    if (init === undefined) return undefined
    const socket = `/proc/${init.pid}/root/run/picket/control.sock`
    return await askOnce(socket, request, 2_000).catch(() => undefined)
  }

  async function statusFrom(node: string): Promise<Status | undefined> {
    const line = await ask(node, { do: 'status' })
    return line && statusIn(line)
  }

  /** Where a clone runs, as a member sees it. */
  const instancesIn = (status: Status | undefined, of: string): string[] =>
    (status?.resources ?? [])
      .filter(({ clone, state }) => clone?.id === of && state === 'running')
      .flatMap(({ node }) => node ?? [])

  const addressIn = (status: Status | undefined): string | undefined => {
    const found = status?.resources.find(({ id }) => id === 'address')
    return found?.state === 'running' ? found.node : undefined
  }

  /** All of it is up on so many nodes; where the address is. */
  const settled = (count: number, from: string, not = '') =>
    eventually(`everything runs on ${count} nodes`, async () => {
      const status = await statusFrom(from)
      const whole = instancesIn(status, 'web').length === count
      const at = addressIn(status)
      return whole && instancesIn(status, 'cache').length === 2 && at !== not ? at : undefined
    })

  const hasAddress = async (node: string): Promise<boolean> => {
    const { stdout } = await exec(lab, node, ['ip', '-o', 'addr', 'show', 'dev', 'eth0'])
    return stdout.includes(`${VIP}/24`)
  }

  test('H2 it comes up on every node, once on each, and the address beside one', async () => {
    const at = await settled(3, 'node1')
    assert.deepEqual(
      deeds('web').sort(),
      lab.nodes.map((node) => `${node} web up`),
    )
    assert.equal(deeds('cache').length, 2)
    for (const node of lab.nodes) assert.equal(await hasAddress(node), node === at)
    const line = await ask('node1', { do: 'explain', resource: 'cache' })
    assert.ok(line)
    const { instances, max } = line.explanation as CloneExplanation
    assert.deepEqual([max, instances.length], [2, 3])
  })

  test('H8 picket status shows a clone in one line, and orders are about all of it', async () => {
    await settled(3, 'node1')
    const picket = (...words: string[]) =>
      exec(lab, 'node1', [`${home}/bin/picket`, ...words], { timeoutMs: 60_000 })
    const { stdout } = await picket('status')
    assert.match(stdout, /web +clone 3\/3 {2}node1 node2 node3/)
    assert.match(stdout, /cache +clone 2\/2/)
    assert.doesNotMatch(stdout, /web@/)
    const move = await picket('move', 'web', 'node1')
    assert.equal(move.status, 3)
    assert.match(move.stderr, /web is a clone/)
    const before = deeds('cache').length
    assert.equal((await picket('disable', 'cache')).status, 0)
    await eventually('the cache is down', () => deeds('cache').length === before + 2)
    assert.equal((await picket('enable', 'cache')).status, 0)
    await settled(3, 'node1')
  })

  test('H2 where an instance fails the address goes to a node where another one is well', async () => {
    const at = await settled(3, 'node1')
    const before = deeds('web').length
    await exec(lab, at, ['rm', '/run/web.up'])
    const now = await settled(3, 'node1', at)
    assert.ok(await hasAddress(now))
    assert.ok(!(await hasAddress(at)))
    // Nobody else was touched, and it was mended where it failed.
    assert.deepEqual(deeds('web').slice(before), [`${at} web up`])
  })

  test('H2 where an instance cannot be started the others go on, and the status says so', async () => {
    const at = await settled(3, 'node1')
    const before = deeds('web').length
    writeFileSync(join(folder, `${at}.web`), 'barred')
    await exec(lab, at, ['rm', '/run/web.up'])
    await settled(2, 'node1', at)
    assert.deepEqual(deeds('web').slice(before), [])
    const told = new RegExp(`web +clone 2/3[^]* web@${at}  stopped: `)
    await eventually('the status names it', async () => {
      const { stdout } = await exec(lab, 'node1', [`${home}/bin/picket`, 'status'])
      return told.test(stdout)
    })
    rmSync(join(folder, `${at}.web`))
    await exec(lab, 'node1', [`${home}/bin/picket`, 'cleanup', 'web'], { timeoutMs: 60_000 })
    await settled(3, 'node1')
  })

  test('H2 when a node dies the rest goes on without an interruption', async () => {
    const at = await settled(3, 'node1')
    const others = lab.nodes.filter((node) => node !== at)
    const before = deeds('web').length
    await crash(lab, at)
    const now = await settled(2, others[0]!, at)
    assert.deepEqual(deeds('web').slice(before), [])
    assert.ok(await hasAddress(now))
    await power(lab, at, 'on')
    await settled(3, others[0]!)
    assert.deepEqual(deeds('web').slice(before), [`${at} web up`])
  })
})
