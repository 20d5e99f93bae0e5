/** Every promise can be broken: puppets do what no core may do, and are caught. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Effect, Press } from '../../src/core/effect.ts'
import type { FencingRecord } from '../../src/core/ledger.ts'
import type { Message, Verdict } from '../../src/core/message.ts'
import { crash } from '../../src/sim/daemons.ts'
import { noteDisturbance } from '../../src/sim/disturbance.ts'
import { cut } from '../../src/sim/fate.ts'
import { invariants, judge } from '../../src/sim/invariants.ts'
import { switchOn } from '../../src/sim/machines.ts'
import { order } from '../../src/sim/operator.ts'
import { settles, unsettled } from '../../src/sim/promises-liveness.ts'
import { activate } from '../../src/sim/resources.ts'
import { pressOf, running, type Stage } from './puppet.ts'

const start = (id = 5, resource = 'vip'): Effect => ({
  do: 'run',
  id,
  resource,
  op: 'start',
  timeoutMs: 3_000,
})

const record: FencingRecord = {
  id: 'f-1',
  action: 'off',
  because: 'it is lost',
  requester: 'picketd on a',
  owner: 'a',
  round: 0,
  dangling: [],
  last: '',
  staysOff: false,
  commanded: 'no',
  life: '',
}

const verdictOf = (level: number): Message => {
  const verdict: Verdict = {
    proven: true,
    newBoot: false,
    text: 'off',
    level,
    tookMs: 1,
    late: false,
    commanded: 'yes' as const,
    evidence: [],
  }
  return { session: '', say: 'verdict', node: 'b', id: 'f-1', round: 0, verdict }
}

function read(scene: Stage, device: string, id: number): void {
  scene.make('a', { do: 'read', id, device, target: 'b', timeoutMs: 3_000 })
  scene.world.run(600)
}

/** The press leaves a moment after it was decided. */
function press(scene: Stage, ...[by, target, more]: [string, string, Partial<Press>?]): void {
  scene.make(by, pressOf(scene, by, target, more))
  scene.world.run(1)
}

function breaks(promise: string, pattern: RegExp, deed: () => void): void {
  assert.throws(deed, (error: Error & { promise?: string }) => {
    assert.equal(error.promise, promise, error.message)
    assert.match(error.message, pattern)
    return true
  })
}

test('P1 and P3: two nodes start one thing', () => {
  const scene = running()
  scene.make('a', start())
  scene.world.run(1_000)
  breaks('P3', /b starts vip, which is active on a/, () => scene.make('b', start()))
  breaks('P1', /vip on a and on c/, () =>
    activate(scene.world, scene.world.machine('c'), 'vip', false),
  )
})

test('P3: a node starts what another one had when it vanished', () => {
  const scene = running()
  const { world } = scene
  scene.make('a', start())
  world.run(1_000)
  cut(world, (from, to) => (from.id === 'a') !== (to.id === 'a'))
  world.run(5_000)
  // It happens to have stopped; nobody can know.
  world.machine('a').things.clear()
  breaks('P3', /which a had when it was separated/, () => scene.make('b', start()))
})

test('P3: nothing is unproven of a node that was off in between', () => {
  const scene = running()
  const { world } = scene
  scene.make('a', start())
  world.run(1_000)
  scene.mark('a', 'lost')
  press(scene, 'b', 'a')
  world.run(5_000)
  switchOn(world, world.machine('a'), 'test')
  scene.make('b', start())
})

test('P3: a thing that somebody started by hand is nobody’s crime', () => {
  const scene = running()
  activate(scene.world, scene.world.machine('c'), 'vip', true)
  scene.make('a', start())
  scene.world.run(1_000)
  assert.equal(unsettled(scene.world), 'vip runs on a,c')
})

test('P2: a node presses for itself, without quorum, by an old authority, or a healthy node', () => {
  const scene = running()
  const { world } = scene
  breaks('P2', /which is itself/, () => press(scene, 'b', 'b'))
  breaks('P2', /which is member and not lost/, () => press(scene, 'a', 'b'))
  scene.mark('b', 'left')
  breaks('P2', /which is left/, () => press(scene, 'a', 'b'))
  scene.mark('b', 'lost')
  const device = world.device('b/1/1')
  const { daemon } = world.machine('a')
  const lawful = pressOf(scene, 'a', 'b')
  const judged = (press: Press) => () => judge(world, 'onPress', { daemon: daemon!, device, press })
  breaks('P2', /older ring/, judged({ ...lawful, ring: { rep: 1, seq: 0 } }))
  breaks('P2', /too late/, judged({ ...lawful, notAfterMs: -1e9 }))
  world.machine('a').corosync!.ring!.verdict = false
  breaks('P2', /without quorum/, judged(lawful))
})

test('P4: a node that was ordered off is started on, or switched on, without an order', () => {
  const scene = running()
  const { world } = scene
  order(world, world.machine('a'), 'off', 'b')
  scene.mark('b', 'condemned', { fencing: { ...record, requester: 'operator-1' } })
  press(scene, 'a', 'b')
  world.run(5_000)
  breaks('P4', /b is switched on/, () => {
    press(scene, 'a', 'b', { action: 'on' })
  })
  switchOn(world, world.machine('b'), 'test')
  world.run(20_000)
  breaks('P4', /b starts vip/, () => scene.make('b', start()))
  order(world, world.machine('a'), 'on', 'b')
  scene.make('b', start())
})

test('P4: a node is started on while an off of it is still under way', () => {
  const scene = running()
  const { world } = scene
  scene.mark('b', 'lost')
  world.device('b/1/1').manner = 'slow'
  world.device('b/1/1').slowMs = 9_000
  press(scene, 'a', 'b')
  world.run(5_000)
  breaks('P4', /b\/1\/1 will still carry out an off/, () => scene.make('b', start()))
})

test('P5: a level is skipped, or gone back to', () => {
  const scene = running()
  const { world } = scene
  scene.mark('b', 'lost', { fencing: record })
  world.device('b/1/1').manner = 'ignore'
  breaks('P5', /a skips level 1 of b/, () => {
    press(scene, 'a', 'b', { device: 'b/2/1' })
  })
  press(scene, 'a', 'b')
  press(scene, 'a', 'b', { device: 'b/2/1' })
  breaks('P5', /a goes back to level 1/, () => press(scene, 'a', 'b'))
})

test('P5: a verdict without two reads of every device of its level', () => {
  const scene = running()
  scene.mark('b', 'lost', { fencing: record })
  press(scene, 'a', 'b')
  scene.world.run(1_000)
  read(scene, 'b/1/1', 21)
  const claim = () => {
    scene.make('a', { do: 'send', message: verdictOf(1) })
    scene.world.run(10)
  }
  breaks('P5', /b\/1\/1 without two reads/, claim)
  read(scene, 'b/1/1', 22)
  claim()
  breaks('P5', /b\/2\/1 without two reads/, () => {
    scene.make('a', { do: 'send', message: verdictOf(2) })
    scene.world.run(10)
  })
})

test('P3: what is called proven is not true', () => {
  const scene = running({ wishes: { verify: 'yes' } })
  scene.mark('b', 'lost', { fencing: record })
  scene.world.device('b/1/1').manner = 'lie'
  press(scene, 'a', 'b')
  scene.world.run(1_000)
  read(scene, 'b/1/1', 21)
  read(scene, 'b/1/1', 22)
  breaks('P3', /a proved b off/, () => {
    scene.make('a', { do: 'send', message: verdictOf(1) })
    scene.world.run(10)
  })
})

test('P6 and P10: a round never ends, or a lost node is never fenced', () => {
  const passing = (scene: Stage) => () => {
    for (let second = 0; second < 200; second++) {
      scene.world.run(1_000)
      judge(scene.world, 'onScan', undefined)
    }
  }
  const endless = running()
  endless.mark('b', 'lost', { fencing: record })
  endless.make('a')
  breaks('P6', /round 0 of f-1 \(b\): a presses/, passing(endless))
  const forgotten = running()
  forgotten.mark('b', 'lost')
  forgotten.make('a')
  breaks('P10', /b is lost .* nobody fences it/, passing(forgotten))
})

test('P10: after a crash a button is pressed again without a look', () => {
  const scene = running()
  const { world } = scene
  scene.mark('b', 'lost', { fencing: record })
  world.device('b/1/1').manner = 'ignore'
  press(scene, 'a', 'b')
  crash(world, world.machine('a'))
  breaks('P10', /c presses off of b as a had done/, () => {
    press(scene, 'c', 'b')
  })
  scene.make('c', { do: 'read', id: 31, device: 'b/1/1', target: 'b', timeoutMs: 3_000 })
  press(scene, 'c', 'b')
})

test('P8: a daemon that never sleeps, or never stops talking', () => {
  breaks('P8', /wakes 101 times in one second/, () => running({ wakeMs: 1 }))
  breaks('P8', /says \d+ things in one second/, () => {
    const beat: Effect = { do: 'send', message: { session: '', say: 'accuse', node: 'b' } }
    running({ wakeMs: 100, habit: () => Array.from({ length: 20 }, () => beat) })
  })
})

test('H6: a node without quorum goes on with what it runs', () => {
  const scene = running()
  const { world } = scene
  scene.make('a', start())
  world.run(1_000)
  cut(world, (from, to) => (from.id === 'a') !== (to.id === 'a'))
  breaks('H6', /a runs vip/, () => {
    for (let second = 0; second < 60; second++) {
      world.run(1_000)
      noteDisturbance(world)
      judge(world, 'onScan', undefined)
    }
  })
})

test('S7: a node counts as fenced although nobody was there to see it', () => {
  const scene = running()
  scene.mark('c', 'fenced', {}, scene.world.machine('a').corosync!.ring!.id)
  scene.make('a')
  breaks('S7', /c counts as fenced/, () => {
    scene.world.run(10_000)
    judge(scene.world, 'onScan', undefined)
  })
})

test('S1: two operations at once on one thing', () => {
  const scene = running()
  scene.make('a', start())
  breaks('S1', /a: stop beside start of vip/, () => {
    scene.make('a', { do: 'run', id: 6, resource: 'vip', op: 'stop', timeoutMs: 3_000 })
  })
})

test('every promise has an id, a sentence, and a moment at which it is judged', () => {
  const ids = new Set([...invariants, settles].map(({ id }) => id))
  for (const id of ['P1', 'P2', 'P3', 'P4', 'P5', 'P6', 'P7', 'P8', 'P10']) {
    assert.ok(ids.has(id), `${id} is judged nowhere`)
  }
  for (const invariant of invariants) {
    assert.ok(Object.keys(invariant).some((key) => key.startsWith('on')))
  }
})
