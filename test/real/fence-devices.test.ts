/**
 * Fence devices that do not let us in, on real BMCs: it is said before it matters, and a fencing
 * finds another way: the next level, or a member that can do what the first one could not.
 */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, test } from 'node:test'
import { bmcProcess } from '../../src/lab/bmc.ts'
import { bmc, bmcLogin, crash, type Lab, whyNoLab } from '../../src/lab/lab.ts'
import { bmcDir, nodeDir } from '../../src/lab/names.ts'
import {
  count,
  eventually,
  fenced,
  logMark,
  logSince,
  moved,
  movedAfterFence,
  nobodyFenced,
  picket,
  type Scene,
  seen,
  serves,
  statusAt,
  useCluster,
} from './cluster.ts'

const skip = whyNoLab() ?? false

describe('fence devices that refuse us', { skip }, () => {
  const cluster = useCluster('devices', { extra: 'timing: { check_every_seconds: 5 }' })

  test('a BMC with another password is named at once, and level 2 does its work', async (t) => {
    const scene = cluster()
    const { lab, active, others } = scene
    const { password } = await bmcLogin(lab, active)
    t.after(() => setPassword(lab, active, 'not-the-one', password))
    const mark = logMark(scene, others[0])
    await setPassword(lab, active, password, 'not-the-one')

    const device = `${active}/1/1`
    const broken = await eventually(`the status names ${device}`, async () => {
      const entry = await seen(scene, others[0], active)
      return entry?.devices.find(({ id, ok }) => id === device && ok === false)
    })
    assert.match(broken.detail, /refused our password/)
    const advice = (await statusAt(scene, others[0]))?.advice ?? []
    assert.ok(advice.some((line) => line.startsWith(`${device} could not fence now: `)))
    const screen = await picket(scene, others[0], 'status')
    assert.match(
      screen.stdout,
      new RegExp(`cannot be fenced via ipmi ${device}: .*refused our password`),
    )
    assert.doesNotMatch(screen.stdout + logSince(scene, others[0]), new RegExp(password))

    await crash(lab, active)
    const { level } = await movedAfterFence(scene, active)
    assert.equal(level, 2)
    const said = logSince(scene, others[0], mark)
    assert.equal(count(said, new RegExp(`alarm: ${device} could not fence ${active} now`)), 1)
  })

  test('what the coordinator cannot do for want of a password, another member does', async (t) => {
    const scene = cluster()
    const { lab, active } = scene
    const coordinator = (await statusAt(scene, active))?.coordinator ?? ''
    const [victim = '', able = ''] = lab.nodes.filter((node) => node !== coordinator)
    t.after(() => mendSecrets(scene, [coordinator]))
    await spoilSecrets(scene, [coordinator], victim)
    await crash(lab, victim)
    await fenced(scene, victim, able)
    assert.match(
      logSince(scene, able),
      new RegExp(`Node ${victim} fenced by ${able}: off confirmed`),
    )
    if (victim === active) await moved(scene, active)
    await nobodyFenced(scene, victim)
  })

  test('what nobody can do waits, with advice, and is done when the password is right', async (t) => {
    const scene = cluster()
    const { lab, active, others } = scene
    t.after(() => mendSecrets(scene, others))
    await spoilSecrets(scene, others, active)
    await crash(lab, active)
    const advice = await eventually('the status says what to do', async () => {
      const lines = (await statusAt(scene, others[0]))?.advice ?? []
      return lines.find((line) => line.startsWith(`${active} cannot be proven off`))
    })
    assert.match(advice, new RegExp(`picket fence check ${active}`))
    const blocked = (await statusAt(scene, others[1]))?.resources.find(({ id }) => id === 'web')
    assert.equal(blocked?.state, 'blocked')
    assert.match(blocked?.because ?? '', new RegExp(`${active} may hold it and is not proven dead`))
    const checked = await picket(scene, others[0], 'fence', 'check', active)
    assert.equal(checked.status, 1)
    assert.match(checked.stdout, /✗ FAILED .* refused our password/)

    await mendSecrets(scene, others)
    await moved(scene, active)
    // It was off already, and later rounds look before they press: nothing has to be sent.
    const said = others.map((node) => logSince(scene, node)).join('\n')
    assert.match(said, new RegExp(`Node ${active} fenced by node\\d: off confirmed`))
    await nobodyFenced(scene, active)
    await serves(scene, others[0], others[1])
  })
})

/** Gives one BMC another password; its simulator reads it only when it starts. */
async function setPassword(lab: Lab, node: string, from: string, to: string): Promise<void> {
  const file = path.join(bmcDir(lab, node, 1), 'lan.conf')
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replaceAll(`"${from}"`, `"${to}"`))
  const { pid } = bmcProcess(lab, node, 1) ?? {}
  if (pid !== undefined) process.kill(pid, 'SIGKILL')
  await eventually('the BMC has ended', () => bmcProcess(lab, node, 1) === undefined)
  await bmc(lab, node, 1, { mode: 'ok' })
}

const rightSecrets = new Map<string, string>()

/** A wrong password for the BMCs of `victim` in the secrets of some nodes, and waits until it is in use. */
async function spoilSecrets(scene: Scene, nodes: readonly string[], victim: string): Promise<void> {
  const { password } = await bmcLogin(scene.lab, victim)
  for (const node of nodes) {
    const text = await readFile(secretsOf(scene, node), 'utf8')
    rightSecrets.set(secretsOf(scene, node), text)
    const entry = new RegExp(`(  ${victim}:\n(?:    .*\n)*?    password: )"?${password}"?`)
    assert.match(text, entry)
    await giveSecrets(scene, node, text.replace(entry, '$1not-the-one'))
  }
}

async function mendSecrets(scene: Scene, nodes: readonly string[]): Promise<void> {
  for (const node of nodes) {
    const right = rightSecrets.get(secretsOf(scene, node))
    if (right !== undefined) await giveSecrets(scene, node, right)
    rightSecrets.delete(secretsOf(scene, node))
  }
}

async function giveSecrets(scene: Scene, node: string, text: string): Promise<void> {
  const mark = logMark(scene, node)
  await writeFile(secretsOf(scene, node), text)
  await eventually(`picketd on ${node} reads its secrets`, () =>
    /The secrets were read again/.test(logSince(scene, node, mark)),
  )
}

function secretsOf({ lab }: Scene, node: string): string {
  return path.join(nodeDir(lab, node), 'etc-picket/fence-secrets.yaml')
}
