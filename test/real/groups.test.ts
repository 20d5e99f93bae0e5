/**
 * A group of resources on a real cluster: it comes up in its order on one node, goes down in reverse,
 * and moves as a whole, when its node dies and when one of it cannot be started where it is.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { askOnce } from '../../src/cli/control.ts'
import { statusIn } from '../../src/cli/status.ts'
import type { Explanation } from '../../src/core/explain.ts'
import {
  crash,
  daemonOf,
  downLab,
  exec,
  initOf,
  type Lab,
  power,
  upLab,
  VIP,
  whyNoLab,
} from '../../src/lab/lab.ts'
import { eventually } from './cluster.ts'

const name = `groups-${process.pid}`
const skip = whyNoLab() ?? false
const folder = mkdtempSync(join(tmpdir(), 'picket-groups-'))
const log = join(folder, 'deeds')

/** Up as long as its file is there; it writes down what it does, and may be barred from a node. */
const program = (id: string) => {
  const mark = `/run/${id}.up`
  const note = (word: string) => `echo "$(hostname) ${id} ${word}" >> ${log}`
  const start = `test ! -e ${folder}/$(hostname).${id} && touch ${mark} && ${note('up')}`
  return {
    ...{ id, type: 'exec', monitor_every_seconds: 1 },
    start: ['sh', '-c', start],
    stop: ['sh', '-c', `test ! -e ${mark} || { rm ${mark}; ${note('down')}; }`],
    monitor: ['sh', '-c', `test -e ${mark} || exit 7`],
  }
}

const resources = [
  { id: 'address', type: 'vip', address: `${VIP}/24`, interface: 'eth0' },
  program('files'),
  program('web'),
  { ...program('rival'), apart_from: 'web' },
]

describe('a group on a real cluster', { skip }, () => {
  let lab: Lab
  before(async () => {
    writeFileSync(log, '')
    const extra = 'groups: [{ id: stack, members: [address, files, web] }]'
    lab = await upLab({ name, nodes: 3, profile: 'lan', resources, extra })
  })
  after(async () => {
    await downLab(name)
    rmSync(folder, { recursive: true })
  })

  const deeds = (): string[] => readFileSync(log, 'utf8').split('\n').filter(Boolean)

  async function ask(node: string, request: object) {
    const init = initOf(lab, node)
    if (init === undefined) return undefined
    const socket = `/proc/${init.pid}/root/run/picket/control.sock`
    return await askOnce(socket, request, 2_000).catch(() => undefined)
  }

  /** Where all of the group runs, as a member sees it. */
  async function placeFrom(node: string): Promise<string | undefined> {
    const line = await ask(node, { do: 'status' })
    const group = (line && statusIn(line))?.resources.filter(({ id }) => id !== 'rival') ?? []
    const [first] = group
    const together = group.every(({ node: at, state }) => at === first?.node && state === 'running')
    return together ? first?.node : undefined
  }

  const settled = (what: string, from: string, not = '') =>
    eventually(what, async () => {
      const at = await placeFrom(from)
      return at !== undefined && at !== not ? at : undefined
    })

  test('H3 it comes up in order on one node, and what must be apart on another', async () => {
    const at = await settled('the group is up', 'node1')
    assert.deepEqual(
      deeds().filter((deed) => !deed.includes('rival')),
      [`${at} files up`, `${at} web up`],
    )
    await eventually('the rival is up', () => deeds().some((deed) => /rival up/.test(deed)))
    assert.ok(!deeds().includes(`${at} rival up`))
    const { stdout } = await exec(lab, at, ['ip', '-o', 'addr', 'show', 'dev', 'eth0'])
    assert.match(stdout, new RegExp(`${VIP}/24`))
  })

  test('H3 what fails in the middle is mended with all that starts after it', async () => {
    const at = await settled('the group is up', 'node1')
    const before = deeds().length
    await exec(lab, at, ['rm', '/run/files.up'])
    await eventually('it is up again', () => deeds().slice(before).length >= 3)
    assert.equal(await settled('the group is up', 'node1'), at)
    // Its own stop has nothing left to do.
    assert.deepEqual(deeds().slice(before), [`${at} web down`, `${at} files up`, `${at} web up`])
  })

  test('H3 it moves as a whole where one of it cannot be started', async () => {
    const at = await settled('the group is up', 'node1')
    const before = deeds().length
    writeFileSync(join(folder, `${at}.web`), 'barred')
    await exec(lab, at, ['rm', '/run/web.up'])
    const now = await settled('the group is up elsewhere', 'node1', at)
    const moved = deeds().slice(before)
    const own = moved.filter((deed) => !deed.includes('rival'))
    assert.deepEqual(own, [`${at} files down`, `${now} files up`, `${now} web up`])
    const line = await ask('node1', { do: 'explain', resource: 'web' })
    assert.ok(line)
    const { belongs, elsewhere } = line.explanation as Explanation
    assert.equal(belongs, now)
    assert.match(elsewhere[at] ?? '', /belongs on|there its start failed/)
    rmSync(join(folder, `${at}.web`))
  })

  test('H3 when its node dies it comes up in order on another one', async () => {
    const at = await settled('the group is up', 'node1')
    const witness = lab.nodes.find((node) => node !== at) ?? ''
    const before = deeds().length
    await crash(lab, at)
    const now = await settled('the group is up elsewhere', witness, at)
    const own = deeds()
      .slice(before)
      .filter((deed) => !deed.includes('rival'))
    assert.deepEqual(own, [`${now} files up`, `${now} web up`])
    await power(lab, at, 'on')
    await eventually('all are members again', async () => {
      const line = await ask(witness, { do: 'status' })
      const nodes = (line && statusIn(line))?.nodes ?? []
      return nodes.length === 3 && nodes.every(({ standing }) => standing === 'member')
    })
  })

  test('H3 a daemon that leaves takes it down in reverse', async () => {
    const at = await settled('the group is up', 'node1')
    const others = lab.nodes.filter((node) => node !== at)
    const before = deeds().length
    const daemon = daemonOf(lab, at)
    assert.ok(daemon)
    process.kill(daemon.pid, 'SIGTERM')
    const now = await settled('the group is up elsewhere', others[0]!, at)
    const own = deeds()
      .slice(before)
      .filter((deed) => !deed.includes('rival'))
    assert.deepEqual(own, [
      ...[`${at} web down`, `${at} files down`],
      ...[`${now} files up`, `${now} web up`],
    ])
  })
})
