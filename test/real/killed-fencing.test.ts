/**
 * The daemon that presses the button is killed at each step of a fencing (F4): the order is written,
 * the command is sent, the power is read once, the verdict is said. Whoever goes on looks before it
 * presses again, and the node is proven off and replaced as if nothing had happened.
 *
 * A moment lasts a few milliseconds, so something is made to stand still in it. Whether it was hit
 * is read from the record that the killed daemon has left; a miss is tried again, a few times.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, utimesSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { bmcProcess } from '../../src/lab/bmc.ts'
import { bmc, cut, daemonOf, until, whyNoLab } from '../../src/lab/lab.ts'
import { bmcDir, nodeDir } from '../../src/lab/names.ts'
import {
  again,
  eventually,
  linesOf,
  logMark,
  logSince,
  movedAfterFence,
  offs,
  PATIENCE_MS,
  processNamed,
  type Scene,
  seen,
  statusAt,
  useCluster,
  writesSince,
} from './cluster.ts'

const skip = whyNoLab() ?? false
const triesMax = 3

describe('the daemon that fences is killed', { skip }, () => {
  const cluster = useCluster('killed')

  test('after the order was written, before the command was sent', async (t) => {
    const { scene, pressedAgain } = await killed(t, cluster(), {
      async prepare({ scene: { lab, active }, undo }) {
        // It grants no session, so nothing can be sent.
        await bmc(lab, active, 1, { mode: 'hang' })
        undo(() => bmc(lab, active, 1, { mode: 'ok' }))
      },
      wait: ({ said }) => soon(() => said().includes('attempt')),
      isHit: ({ said }) => said().join() === 'begun,attempt',
    })
    assert.deepEqual([await commands(scene), pressedAgain], [1, 1])
  })

  test('after the command was sent, before its answer; the BMC has obeyed', async (t) => {
    const { scene } = await killed(t, cluster(), {
      prepare: async (life) => answerLate(life),
      wait: ({ scene }) => soon(async () => (await commands(scene)) > 0),
      isHit: ({ said }) => said().join() === 'begun,attempt',
    })
    assert.equal(await commands(scene), 1)
  })

  test('after the command was sent, before its answer; the BMC takes its time', async (t) => {
    const { scene, pressedAgain } = await killed(t, cluster(), {
      async prepare(life) {
        const { lab, active } = life.scene
        await bmc(lab, active, 1, { mode: 'slow', ms: 3_000 })
        answerLate(life)
      },
      wait: ({ scene }) => soon(async () => (await commands(scene)) > 0),
      isHit: ({ said }) => said().join() === 'begun,attempt',
    })
    // Whoever looked in these three seconds read on, and was right to press.
    assert.equal(await commands(scene), 1 + pressedAgain)
    await eventually('all commands are carried out', async () => {
      return (await offs(scene, scene.active, 'done')).length === 1 + pressedAgain
    })
  })

  test('between the first read and the second', async (t) => {
    const { scene } = await killed(t, cluster(), {
      async wait({ scene: { lab, active }, said, undo }) {
        await soon(() => said().includes('off'))
        process.kill(bmcProcess(lab, active, 1)!.pid, 'SIGSTOP')
        undo(() => bmc(lab, active, 1, { mode: 'ok' }))
      },
      isHit: ({ said }) => count(said(), 'off') === 1 && !said().includes('proven'),
    })
    assert.equal(await commands(scene), 1)
  })

  test('when it has said the verdict, and nobody has heard it', async (t) => {
    const { scene } = await killed(t, cluster(), {
      async wait({ scene, owner, said, undo }) {
        await soon(() => said().includes('off'))
        const { pid } = processNamed(scene, owner(), 'corosync')
        process.kill(pid, 'SIGSTOP')
        undo(() => process.kill(pid, 'SIGCONT'))
        // Not longer: the others would give its node up.
        await soon(() => said().includes('proven'), 400)
      },
      isHit: ({ scene, said, hasHeard }) =>
        said().includes('proven') && !scene.others.some((node) => hasHeard(node)),
    })
    assert.equal(await commands(scene), 1)
  })

  test('when all have heard the verdict, and its own disk does not keep it', async (t) => {
    const { scene } = await killed(t, cluster(), {
      async wait({ scene, owner, said, hasHeard }) {
        await soon(() => said().includes('off'))
        // A new file of ledgers begins with this one, and now waits for a reader that never comes.
        const ledger = path.join(stateOf(scene, owner()), 'ledger.json')
        const next = `${ledger}.tmp`
        await soon(() => spawnSync('mkfifo', [next], { stdio: 'ignore' }).status === 0)
        // Somebody has touched the old one: no ledger is added to it any more.
        utimesSync(ledger, 1, 1)
        await soon(() => hasHeard(owner()))
      },
      isHit: ({ scene, owner, hasHeard }) =>
        hasHeard(owner()) &&
        !newestLedger(path.join(stateOf(scene, owner()), 'ledger.json')).includes('fenced'),
    })
    assert.equal(await commands(scene), 1)
  })
})

/** The last of those that the file holds. */
function newestLedger(file: string): string {
  const text = readFileSync(file, 'utf8')
  return text.slice(text.lastIndexOf('{"picket":"ledger"'))
}

/** One try, as a test sees it. */
interface Try {
  readonly scene: Scene
  /** Who carries out the first round. */
  owner(): string
  /** What its record says of that round, a word for each line; what it writes next is left out. */
  said(): readonly string[]
  /**
   * Buttons pressed and powers read for the node that is fenced, as the audit log of another tells,
   * but for those of the daemon that was killed: it lost its last lines.
   */
  asked(node: string): readonly { kind: 'press' | 'read'; power?: string }[]
  /** What the daemon of a node has logged. */
  told(node: string): string
  /** Has the daemon of a node learned that the fencing is over? */
  hasHeard(node: string): boolean
  /** Does this as soon as the daemon is dead, whether the moment was hit or not. */
  undo(work: () => unknown): void
}

interface Moment {
  prepare?(life: Try): Promise<void>
  wait(life: Try): Promise<unknown>
  /** Looked at when the daemon is dead. */
  isHit(life: Try): boolean
}

interface Hit {
  readonly scene: Scene
  /** How often a button was pressed after that. */
  readonly pressedAgain: number
}

/**
 * Cuts the active node off, kills the daemon that fences it at this moment, and waits until the
 * service has moved.
 */
async function killed(t: TestContext, first: Scene, moment: Moment): Promise<Hit> {
  let scene = first
  for (let tries = 0; tries < triesMax; tries++) {
    const { life, after } = begin(scene)
    let isHit = false
    try {
      await cutAndKill(life, moment)
      isHit = moment.isHit(life)
    } finally {
      for (const work of after) await work()
    }
    const { owner, said, asked } = life
    t.diagnostic(`${isHit ? 'hit' : 'missed'}: ${owner()} was killed after ${said().join(' ')}`)
    await endsWell(life)
    const presses = scene.others.flatMap(asked).filter(({ kind }) => kind === 'press')
    if (isHit) return { scene, pressedAgain: presses.length }
    scene = await again(scene)
  }
  assert.fail(`the moment was missed ${triesMax} times`)
}

async function cutAndKill(life: Try, { prepare, wait }: Moment): Promise<void> {
  const { lab, active } = life.scene
  await prepare?.(life)
  await cut(lab, active)
  await wait(life)
  const before = daemonOf(lab, life.owner())
  assert.ok(before)
  process.kill(before.pid, 'SIGKILL')
  await soon(() => daemonOf(lab, life.owner())?.pid !== before.pid)
}

function begin(scene: Scene): { life: Try; after: readonly (() => unknown)[] } {
  const { others, active } = scene
  const after: (() => unknown)[] = []
  const newLines = (file: 'fencing' | 'audit') => {
    const before = new Map(others.map((node) => [node, linesOf(scene, node, file).length]))
    return (node: string) => linesOf(scene, node, file).slice(before.get(node))
  }
  const recordOf = newLines('fencing')
  const auditOf = newLines('audit')
  const marks = new Map(others.map((node) => [node, logMark(scene, node)]))
  const told = (node: string) => logSince(scene, node, marks.get(node))
  let owner: string | undefined
  const life: Try = {
    scene,
    owner() {
      owner ??= others.find((node) => recordOf(node).length > 0)
      assert.ok(owner !== undefined, 'nobody has begun to fence')
      return owner
    },
    said() {
      const pressing = owner ?? others.find((node) => recordOf(node).length > 0)
      if (pressing === undefined) return []
      const lines = recordOf(pressing)
      const end = lines.findIndex(
        ({ what }, at) => what === 'interrupted' || (at && what === 'begun'),
      )
      return lines.slice(0, end === -1 ? undefined : end).map((line) => {
        if (line.what === 'verdict') return line.proven === true ? 'proven' : 'unproven'
        return String(line.power ?? line.outcome ?? line.what)
      })
    },
    asked(node) {
      const lines = auditOf(node)
      const begins = lines.findLastIndex(({ kind }) => kind === 'start')
      return lines.slice(begins + 1).flatMap(({ kind, facts }) => {
        const { target, power } = facts as { target?: string; power?: string }
        if (target !== active || (kind !== 'press' && kind !== 'read')) return []
        return [{ kind, ...(power !== undefined && { power }) }]
      })
    },
    told,
    hasHeard: (node) => told(node).includes(`Node ${active} fenced by`),
    undo: (work) => void after.push(work),
  }
  return { life, after }
}

/** The node is proven off, the service has begun once, and nobody pressed again without a look. */
async function endsWell({ scene, owner, said, asked, told }: Try): Promise<void> {
  const { active, others, sinceMs } = scene
  const { now } = await movedAfterFence(scene, active)
  const lives = writesSince(scene, sinceMs).filter(({ what }) => what.startsWith('begin'))
  assert.deepEqual(
    lives.map(({ node }) => node),
    [now],
  )
  for (const node of others) {
    await eventually(
      `${node} knows that ${active} is fenced, and where the service runs`,
      async () => {
        const web = (await statusAt(scene, node))?.resources.find(({ id }) => id === 'web')
        return web?.node === now && (await seen(scene, node, active))?.standing === 'fenced'
      },
    )
  }
  if (!said().includes('proven')) {
    const text = `A fencing of ${active} was under way here when picketd died.`
    assert.ok(told(owner()).includes(text), `${owner()} does not know that it was interrupted`)
  }
  for (const node of others) {
    for (const [index, { kind }] of asked(node).entries()) {
      const last = asked(node)[index - 1]
      const looked = last?.kind === 'read' && last.power !== 'off'
      assert.ok(kind !== 'press' || looked, `${node} pressed without a look: ${last?.power}`)
    }
  }
}

/** How many power commands the BMC of the active node has accepted. */
async function commands(scene: Scene): Promise<number> {
  return (await offs(scene, scene.active, 'accepted')).length
}

/** Lets that BMC answer a command only when the command has long been carried out or put off. */
function answerLate({ scene: { lab, active }, undo }: Try): void {
  const file = path.join(bmcDir(lab, active, 1), 'chassis')
  const text = readFileSync(file, 'utf8')
  undo(() => writeFileSync(file, text))
  writeFileSync(file, `${text.replace('exec ', '')}case "$*" in *set*) sleep 0.3 ;; esac\n`)
}

function stateOf({ lab }: Scene, node: string): string {
  return path.join(nodeDir(lab, node), 'lib-picket')
}

function count(words: readonly string[], word: string): number {
  return words.filter((each) => each === word).length
}

/** Looks every millisecond. Whether it came to this is for the caller to find out. */
async function soon(ask: () => unknown, withinMs = PATIENCE_MS): Promise<void> {
  await until(ask, withinMs, 1)
}
