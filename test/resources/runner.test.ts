import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { suite, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { MechanismKind } from '../../src/resources/mechanism.ts'
import { OVERRUN_MS } from '../../src/resources/runner.ts'
import { openScopes } from '../../src/resources/scope.ts'
import { makeRoom, type Room, until } from './room.ts'

const LONG_MS = 30_000

const mechanisms = ['cgroup2', 'cgroup1', 'marker'] as const

for (const mechanism of mechanisms) {
  // Most of a test is waiting.
  suite(`scopes by ${mechanism}`, { concurrency: 4 }, () => {
    const each = (name: string, body: (t: TestContext, room: Room) => Promise<void>) =>
      test(name, (t) => {
        const room = makeRoom(t)
        const reason = cannot(mechanism, room)
        return reason === undefined ? body(t, room) : t.skip(reason)
      })

    each(
      'what a start leaves in the background lives on, other operations leave nothing',
      async (_, room) => {
        const { mark } = room
        const options = {
          start: room.script('start', `(setsid setsid sleep ${mark} &) ; exit 0`),
          monitor: room.script('monitor', `(setsid setsid sleep ${mark} &) ; exit 0`),
          stop: room.script('stop', `(setsid setsid sleep ${mark} &) ; exit 0`),
        }
        const resources = await room.open([{ id: 'web', options }], { mechanism })
        const started = await resources.run(1, 'web', 'start', LONG_MS)
        assert.equal(started.outcome, 'done')
        await until('the service is up', () => room.alive().length === 1)
        const service = room.alive()
        assert.equal((await resources.run(2, 'web', 'monitor', LONG_MS)).outcome, 'running')
        assert.deepEqual(room.alive(), service, 'a monitor leaves nothing, and spares the service')
        const stopped = await resources.run(3, 'web', 'stop', LONG_MS)
        assert.equal(stopped.outcome, 'done')
        assert.deepEqual(room.alive(), [], 'a stop leaves nothing at all')
        assert.match(stopped.detail, /ended sleep \(pid \d+\); had to kill (setsid|sleep)/)
      },
    )

    each('a failed start takes everything it made with it', async (_, room) => {
      const start = room.script('start', `(setsid setsid sleep ${room.mark} &) ; exit 1`)
      const resources = await room.open([{ id: 'web', options: { start } }], { mechanism })
      assert.equal((await resources.run(1, 'web', 'start', LONG_MS)).outcome, 'failed')
      assert.deepEqual(room.alive(), [])
    })

    each('a start that hangs is gone when its abort is told', async (_, room) => {
      const start = room.script(
        'start',
        `trap '' TERM HUP
      nap() { sleep ${room.mark}; sleep ${room.mark}; }
      (setsid sh -c 'trap "" TERM; sleep ${room.mark}; sleep ${room.mark}' &)
      nap`,
      )
      const resources = await room.open([{ id: 'web', options: { start } }], { mechanism })
      const running = resources.run(1, 'web', 'start', LONG_MS)
      await until('the start is under way', () => room.alive().length === 2)
      await assert.rejects(resources.run(2, 'web', 'stop', LONG_MS), /operation 1 runs/)
      resources.abort(1)
      const ran = await running
      assert.deepEqual(room.alive(), [])
      assert.equal(ran.outcome, 'failed')
      assert.match(ran.detail, /aborted.*had to kill/)
      assert.equal((await resources.run(3, 'web', 'probe', LONG_MS)).outcome, 'stopped')
    })

    each(
      'a stop that hangs fails in time, and the service is gone all the same',
      async (_, room) => {
        const options = { start: `sh -c "sleep ${room.mark} &"`, stop: `sleep ${room.mark}` }
        const resources = await room.open([{ id: 'web', options }], { mechanism })
        await resources.run(1, 'web', 'start', LONG_MS)
        const beganMs = performance.now()
        const ran = await resources.run(2, 'web', 'stop', 300)
        assert.ok(performance.now() - beganMs < 300 + OVERRUN_MS)
        assert.equal(ran.outcome, 'failed')
        assert.match(ran.detail, /longer than its 0.3 s/)
        assert.deepEqual(room.alive(), [])
      },
    )

    each(
      'a start that a killed daemon left half done is gone before the next one probes',
      async (t, room) => {
        const traces = join(room.dir, 'traces')
        const start = room.script(
          'start',
          `(setsid sh -c 'while :; do echo >>${traces}; sleep 0.05; done' &) ; sleep ${room.mark}`,
        )
        const daemon = startDaemon(t, room, mechanism, { start }, ['start'])
        await until('the start is under way', () => room.alive().length > 0 && existsSync(traces))
        daemon.kill('SIGKILL')
        const resources = await room.open([{ id: 'web', options: { start } }], {
          mechanism,
          sweep: false,
        })
        await assert.rejects(resources.run(1, 'web', 'probe', LONG_MS), /before the sweep/)
        const sentences = await resources.sweep()
        const left = readFileSync(traces, 'utf8')
        assert.deepEqual(room.alive(), [], 'nothing of the start lives when the sweep is over')
        assert.match(sentences.join(), /web: a start begun at .* was cut short.*proven gone/)
        assert.equal((await resources.run(2, 'web', 'probe', LONG_MS)).outcome, 'stopped')
        await sleep(300)
        assert.equal(readFileSync(traces, 'utf8'), left, 'the orphan did not go on')
        assert.deepEqual(await resources.sweep(), [], 'it is not swept twice')
      },
    )

    each('a service outlives a killed daemon and is adopted by the next', async (t, room) => {
      const options = { run: ['sleep', room.mark] }
      const daemon = startDaemon(t, room, mechanism, options, ['start'])
      await daemon.says('start done')
      daemon.kill('SIGKILL')
      await daemon.gone
      const service = room.alive()
      assert.equal(service.length, 1)
      const resources = await room.open([{ id: 'web', options }], { mechanism, sweep: false })
      assert.match(
        (await resources.sweep()).join(),
        /web: its service was found running and is adopted: sleep \(pid \d+\)/,
      )
      assert.equal((await resources.run(1, 'web', 'probe', LONG_MS)).outcome, 'running')
      assert.deepEqual(room.alive(), service)
      assert.equal((await resources.run(2, 'web', 'stop', LONG_MS)).outcome, 'done')
      assert.deepEqual(room.alive(), [])
    })

    each("a killed daemon's half done monitor does not harm the service", async (t, room) => {
      const looking = `${room.mark}7`
      const options = {
        run: ['sleep', room.mark],
        monitor: room.script('monitor', `(setsid sleep ${looking} &); sleep ${looking}`),
      }
      const daemon = startDaemon(t, room, mechanism, options, ['start', 'monitor'])
      await daemon.says('start done')
      const service = room.alive()
      await until('the monitor is under way', () => room.alive(looking).length === 2)
      daemon.kill('SIGKILL')
      const resources = await room.open([{ id: 'web', options }], { mechanism, sweep: false })
      assert.match((await resources.sweep()).join(), /web: a monitor begun at .*proven gone/)
      assert.deepEqual(room.alive(looking), [])
      assert.deepEqual(room.alive(), service)
    })

    each('a record that makes no sense is taken for a half done start', async (t, room) => {
      const options = { run: ['sleep', room.mark] }
      const daemon = startDaemon(t, room, mechanism, options, ['start'])
      await daemon.says('start done')
      daemon.kill('SIGKILL')
      writeFileSync(join(room.stateDir, 'ops', 'web.json'), '{"op": "mon')
      const resources = await room.open([{ id: 'web', options }], { mechanism, sweep: false })
      assert.match((await resources.sweep()).join(), /unreadable.*proven gone/)
      assert.deepEqual(room.alive(), [])
    })

    each('the service of a resource that no config names any more is ended', async (t, room) => {
      const options = { run: ['sleep', room.mark] }
      const daemon = startDaemon(t, room, mechanism, options, ['start'])
      await daemon.says('start done')
      daemon.kill('SIGKILL')
      const resources = await room.open([{ id: 'other', options }], { mechanism, sweep: false })
      assert.match((await resources.sweep()).join(), /web: the config does not name it any more/)
      assert.deepEqual(room.alive(), [])
    })
  })
}

test('a service that left its control group is still found and ended', async (t) => {
  const room = makeRoom(t)
  const reason = cannot('cgroup2', room)
  if (reason !== undefined) return t.skip(reason)
  const procs = join(
    openScopes({ stateDir: room.stateDir, mechanism: 'cgroup2', warn: () => {} }).place,
    '..',
    '..',
    'cgroup.procs',
  )
  const start = room.script(
    'start',
    `(echo 0 >${procs}; exec setsid sleep ${room.mark}) & sleep 0.1`,
  )
  const resources = await room.open([{ id: 'web', options: { start } }], { mechanism: 'cgroup2' })
  assert.equal((await resources.run(1, 'web', 'start', LONG_MS)).outcome, 'done')
  const [pid] = room.alive()
  assert.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), /^0::\/(?!picket)/m, 'it has left')
  assert.equal((await resources.run(2, 'web', 'monitor', LONG_MS)).outcome, 'running')
  assert.equal((await resources.run(3, 'web', 'stop', LONG_MS)).outcome, 'done')
  assert.deepEqual(room.alive(), [])
})

test('while a process cannot be killed nothing is told but unknown', async (t) => {
  const room = makeRoom(t)
  const frozen = freezer(t)
  const reason =
    frozen === undefined ? 'no version 1 freezer to hold a process with' : cannot('cgroup2', room)
  if (frozen === undefined || reason !== undefined) return t.skip(reason)
  // A frozen process takes its SIGKILL when it is thawed: like one that waits for a dead disk.
  const start = room.script('start', `echo 0 >${frozen}/cgroup.procs; sleep ${room.mark}`)
  const resources = await room.open([{ id: 'web', options: { start } }], {
    mechanism: 'cgroup2',
    killBoundMs: 300,
  })
  const running = resources.run(1, 'web', 'start', LONG_MS)
  await until('the start is under way', () => room.alive().length === 1)
  writeFileSync(join(frozen, 'freezer.state'), 'FROZEN')
  resources.abort(1)
  const ran = await running
  assert.equal(ran.outcome, 'unknown')
  assert.match(ran.detail, /not proven gone: it cannot be killed: .*sleep \(pid \d+, state D/)
  const probed = await resources.run(2, 'web', 'probe', LONG_MS)
  assert.equal(probed.outcome, 'unknown', 'nobody may call it stopped now')
  assert.equal((await resources.run(3, 'web', 'stop', LONG_MS)).outcome, 'unknown')
  writeFileSync(join(frozen, 'freezer.state'), 'THAWED')
  assert.equal((await resources.run(4, 'web', 'probe', LONG_MS)).outcome, 'stopped')
  assert.deepEqual(room.alive(), [])
})

test('an abort of something else, or too late, does nothing', async (t) => {
  const room = makeRoom(t)
  const resources = await room.open([{ id: 'web', options: { run: ['sleep', room.mark] } }])
  const running = resources.run(1, 'web', 'start', LONG_MS)
  resources.abort(99)
  assert.equal((await running).outcome, 'done')
  resources.abort(1)
  assert.equal((await resources.run(2, 'web', 'monitor', LONG_MS)).outcome, 'running')
  assert.equal((await resources.run(3, 'web', 'stop', LONG_MS)).outcome, 'done')
})

test('an operation that runs no program makes no scope, and needs none', async (t) => {
  const room = makeRoom(t)
  const options = { address: '192.0.2.77' }
  const resources = await room.open([{ id: 'ip', type: 'vip', options }], { mechanism: 'marker' })
  // Where no scope can be made, its operations go on.
  writeFileSync(join(room.stateDir, 'gates'), '')
  assert.equal((await resources.run(1, 'ip', 'probe', LONG_MS)).outcome, 'stopped')
  assert.equal((await resources.run(2, 'ip', 'stop', LONG_MS)).outcome, 'done')
  assert.deepEqual(room.said, [])
})

test("a resource's name never leads out of the state directory", async (t) => {
  const room = makeRoom(t)
  const id = '../../etc/a b'
  const resources = await room.open([{ id, options: { run: ['sleep', room.mark] } }])
  assert.equal((await resources.run(1, id, 'start', LONG_MS)).outcome, 'done')
  assert.deepEqual(readdirSync(join(room.stateDir, 'log')), ['%2E.%2F..%2Fetc%2Fa%20b.log'])
  assert.equal((await resources.run(2, id, 'stop', LONG_MS)).outcome, 'done')
})

function cannot(mechanism: MechanismKind, { stateDir }: Room): string | undefined {
  try {
    openScopes({ stateDir, mechanism, warn: () => {} })
    return undefined
  } catch (error) {
    return `${(error as Error).message}; run as root with a writable /sys/fs/cgroup`
  }
}

function freezer(t: TestContext): string | undefined {
  const dir = `/sys/fs/cgroup/freezer/picket-test-${process.pid}`
  try {
    mkdirSync(dir)
  } catch {
    return undefined
  }
  t.after(async () => {
    writeFileSync(join(dir, 'freezer.state'), 'THAWED')
    await until(
      'the freezer is empty',
      () => readFileSync(join(dir, 'cgroup.procs'), 'utf8') === '',
    )
    rmdirSync(dir)
  })
  return dir
}

function startDaemon(
  t: TestContext,
  { stateDir }: Room,
  mechanism: MechanismKind,
  options: unknown,
  ops: readonly string[],
) {
  const script = join(import.meta.dirname, 'daemon.ts')
  const args = [script, stateDir, mechanism, JSON.stringify(options), ...ops]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  createInterface(child.stdout).on('line', (line) => lines.push(line))
  t.after(() => child.kill('SIGKILL'))
  return {
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    gone: new Promise((resolve) => child.once('exit', resolve)),
    says: (line: string) => until(`the daemon says "${line}"`, () => lines.includes(line)),
  }
}
