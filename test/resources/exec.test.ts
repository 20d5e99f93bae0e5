import assert from 'node:assert/strict'
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { exec } from '../../src/resources/exec.ts'
import { makeRoom, until } from './room.ts'

const LONG_MS = 10_000
const isRoot = process.getuid?.() === 0
const needsRoot = isRoot ? {} : { skip: 'only root can change to another user; run as root' }

test('a program that runs in the foreground is started, watched and stopped', async (t) => {
  const room = makeRoom(t)
  const { mark } = room
  const resources = await room.open([{ id: 'web', options: { run: ['sleep', mark] } }])
  assert.equal((await resources.run(1, 'web', 'probe', LONG_MS)).outcome, 'stopped')
  assert.equal((await resources.run(2, 'web', 'start', LONG_MS)).outcome, 'done')
  assert.equal(room.alive().length, 1)
  assert.equal((await resources.run(3, 'web', 'monitor', LONG_MS)).outcome, 'running')
  assert.equal((await resources.run(4, 'web', 'stop', LONG_MS)).outcome, 'done')
  assert.deepEqual(room.alive(), [])
  assert.equal((await resources.run(5, 'web', 'probe', LONG_MS)).outcome, 'stopped')
})

test('a program that ends at once has not been started', async (t) => {
  const room = makeRoom(t)
  const fails = room.script('fails', 'echo no such table >&2; exit 3')
  const resources = await room.open([{ id: 'web', options: { run: fails } }])
  const ran = await resources.run(1, 'web', 'start', LONG_MS)
  assert.equal(ran.outcome, 'failed')
  assert.match(ran.detail, /exited with 3: "no such table"/)
})

test('the death of a service is told without asking, and seen by the next monitor', async (t) => {
  const room = makeRoom(t)
  const resources = await room.open([{ id: 'web', options: { run: ['sleep', room.mark] } }])
  await resources.run(1, 'web', 'start', LONG_MS)
  for (const pid of room.alive()) process.kill(pid, 'SIGKILL')
  await until('the death is told', () => room.deaths.length > 0)
  assert.equal(room.deaths.length, 1)
  assert.match(room.deaths[0] ?? '', /^web: /)
  assert.equal((await resources.run(2, 'web', 'monitor', LONG_MS)).outcome, 'stopped')
})

test('a service whose program died and left helpers is failed, not running', async (t) => {
  const room = makeRoom(t)
  const main = room.script('main', `sleep ${room.mark} & wait`)
  const resources = await room.open([{ id: 'web', options: { run: main } }])
  await resources.run(1, 'web', 'start', LONG_MS)
  await until('its helper runs', () => room.alive().length === 1)
  const [pid] = room.alive()
  const parent = /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  process.kill(Number(parent), 'SIGKILL')
  await until('the program is reaped', () => !existsSync(`/proc/${parent}`))
  const ran = await resources.run(2, 'web', 'monitor', LONG_MS)
  assert.equal(ran.outcome, 'failed')
  assert.match(ran.detail, /left sleep \(pid \d+\) behind/)
  // A new start shares its service with nothing old.
  assert.equal((await resources.run(3, 'web', 'start', LONG_MS)).outcome, 'done')
  await until('a new helper runs, alone', () => room.alive().length === 1)
  assert.equal((await resources.run(4, 'web', 'stop', LONG_MS)).outcome, 'done')
})

test('a stop kills what does not listen to SIGTERM, and says so', async (t) => {
  const room = makeRoom(t)
  const deaf = room.script('deaf', `trap '' TERM; sleep ${room.mark}; sleep ${room.mark}`)
  const resources = await room.open([{ id: 'web', options: { run: deaf } }])
  await resources.run(1, 'web', 'start', LONG_MS)
  const ran = await resources.run(2, 'web', 'stop', 1300)
  assert.equal(ran.outcome, 'done')
  assert.match(ran.detail, /SIGTERM did not end/)
  assert.deepEqual(room.alive(), [])
})

test('a monitor exits with 0 when it runs, with 7 when stopped, else it is broken', async (t) => {
  const room = makeRoom(t)
  const answer = join(room.dir, 'answer')
  const monitor = room.script('monitor', `exit $(cat ${answer})`)
  const resources = await room.open([{ id: 'db', options: { start: 'true', monitor } }])
  const ask = async (code: number, op: 'probe' | 'monitor') => {
    writeFileSync(answer, String(code))
    return (await resources.run(code, 'db', op, LONG_MS)).outcome
  }
  assert.equal(await ask(0, 'monitor'), 'running')
  assert.equal(await ask(7, 'monitor'), 'stopped')
  assert.equal(await ask(1, 'monitor'), 'failed')
  assert.equal(await ask(127, 'monitor'), 'failed')
  assert.equal(await ask(0, 'probe'), 'running')
  assert.equal(await ask(7, 'probe'), 'stopped')
  assert.equal(await ask(1, 'probe'), 'unknown', 'a broken service may be half up')
})

test('a monitor that is not installed proves nothing', async (t) => {
  const room = makeRoom(t)
  const start = room.script('start', 'exit 0')
  const options = { start, monitor: '/nonexistent/monitor' }
  const resources = await room.open([{ id: 'db', options }])
  const ran = await resources.run(1, 'db', 'probe', LONG_MS)
  assert.equal(ran.outcome, 'unknown')
  assert.match(ran.detail, /there is no \/nonexistent\/monitor on this node.*nobody can tell/)
})

test('with no monitor, no start on the disk and no live process it is stopped', async (t) => {
  const room = makeRoom(t)
  const start = room.script('start', `setsid sleep ${room.mark} &`)
  const options = { start, monitor: '/nonexistent/monitor' }
  const resources = await room.open([{ id: 'db', options }])
  await resources.run(1, 'db', 'start', LONG_MS)
  await until('the service is up', () => room.alive().length === 1)
  rmSync(start)
  assert.equal((await resources.run(2, 'db', 'probe', LONG_MS)).outcome, 'unknown')
  for (const pid of room.alive()) process.kill(pid, 'SIGKILL')
  await until('the process is gone', () => room.alive().length === 0)
  const ran = await resources.run(3, 'db', 'probe', LONG_MS)
  assert.equal(ran.outcome, 'stopped')
  assert.match(ran.detail, /nor a .*start that could have started it/)
})

test('a missing program, directory or user is named', async (t) => {
  const room = makeRoom(t)
  const resources = await room.open([
    { id: 'program', options: { start: '/nonexistent/start' } },
    { id: 'name', options: { start: 'no-such-program-anywhere' } },
    { id: 'mode', options: { start: '/etc/passwd' } },
    { id: 'directory', options: { start: 'true', directory: '/nonexistent' } },
    { id: 'user', options: { start: 'true', user: 'nosuchuser' } },
  ])
  const detailOf = async (id: string) => {
    const ran = await resources.run(1, id, 'start', LONG_MS)
    assert.equal(ran.outcome, 'failed', id)
    return ran.detail
  }
  assert.match(await detailOf('program'), /there is no \/nonexistent\/start on this node/)
  assert.match(await detailOf('name'), /there is no no-such-program-anywhere on this node/)
  assert.match(await detailOf('mode'), /\/etc\/passwd is not executable/)
  assert.match(await detailOf('directory'), /its directory cannot be entered/)
  assert.match(await detailOf('user'), /there is no user nosuchuser on this node/)
})

test(
  'programs run as their user, in their directory, with their environment alone',
  needsRoot,
  async (t) => {
    const room = makeRoom(t)
    process.env.PICKET_TEST_SECRET = 'hunter2'
    t.after(() => delete process.env.PICKET_TEST_SECRET)
    const niceness = getPriority()
    setPriority(-7)
    t.after(() => setPriority(niceness))
    const shield = readFileSync('/proc/self/oom_score_adj', 'utf8')
    writeFileSync('/proc/self/oom_score_adj', '500')
    t.after(() => writeFileSync('/proc/self/oom_score_adj', shield))
    const start =
      'sh -c "id -un; pwd; env; nice; cat /proc/self/oom_score_adj; ulimit -n; umask; exit 1"'
    const options = { start, user: 'nobody', directory: '/usr', env: { PORT: '80' } }
    const resources = await room.open([{ id: 'web', options }])
    await resources.run(1, 'web', 'start', LONG_MS)
    const log = readFileSync(join(room.stateDir, 'log', 'web.log'), 'utf8')
    assert.match(log, /^nobody\n\/usr\n/)
    assert.match(log, /^PORT=80$/m)
    assert.match(log, /^PICKET_RESOURCE=web$/m)
    assert.match(log, /^PICKET_OPERATION=start$/m)
    assert.match(log, /\n0\n0\n1024\n0022\n$/)
    assert.doesNotMatch(log, /hunter2/)
  },
)

test('a flood of output is neither stored nor lets the daemon wait', async (t) => {
  const room = makeRoom(t)
  const monitor = room.script('monitor', 'yes the same line again >&2; exit 0')
  const resources = await room.open([{ id: 'db', options: { start: 'true', monitor } }])
  const beforeBytes = process.memoryUsage().rss
  let beats = 0
  const beat = setInterval(() => beats++, 10)
  const ran = await resources.run(1, 'db', 'monitor', 1000)
  clearInterval(beat)
  const grewBytes = process.memoryUsage().rss - beforeBytes
  assert.equal(ran.outcome, 'unknown')
  assert.match(ran.detail, /took longer than its 1 s.*the same line again/)
  assert.ok(ran.detail.length < 2000, `the detail has ${ran.detail.length} characters`)
  assert.ok(grewBytes < 64 << 20, `memory grew by ${grewBytes} bytes`)
  assert.ok(beats > 20, `only ${beats} beats in a second`)
})

test('a monitor that talks garbage, at length or from the background is told of in a line', async (t) => {
  const room = makeRoom(t)
  const lines = 'i=0; while [ $i -lt 10000 ]; do i=$((i+1)); echo "line $i"; done'
  const bodies = [
    String.raw`printf '\033[31m\000\377\nred\033[0m\n'; exit 1`,
    `${lines}; exit 1`,
    `(sleep 987654; echo late) & (${lines}) & wait $!; exit 1`,
  ]
  for (const [index, body] of bodies.entries()) {
    const id = `db${index}`
    const monitor = room.script(`monitor${index}`, body)
    const resources = await room.open([{ id, options: { start: 'true', monitor } }])
    const ran = await resources.run(1, id, 'monitor', LONG_MS)
    assert.equal(ran.outcome, 'failed', ran.detail)
    assert.match(ran.detail, /exited with 1/)
    assert.doesNotMatch(ran.detail, /\p{Cc}/u)
    assert.ok(ran.detail.length < 600, `${ran.detail.length} characters`)
  }
})

test('the log of a service that floods it stays small', async (t) => {
  const room = makeRoom(t)
  const options = { run: 'sh -c "yes | head -c 200000000; exec sleep 100"' }
  const resources = await room.open([{ id: 'web', options }])
  await resources.run(1, 'web', 'start', LONG_MS)
  const log = join(room.stateDir, 'log', 'web.log')
  await until('the log is cut', () => existsSync(`${log}.1`))
  await until('the log is small', () => statSync(log).size <= 1 << 20)
  assert.ok(statSync(`${log}.1`).size <= 256 << 10)
  await resources.run(2, 'web', 'stop', LONG_MS)
})

test('a start that leaves nothing behind and cannot be monitored has failed', async (t) => {
  const room = makeRoom(t)
  const resources = await room.open([{ id: 'db', options: { start: 'true' } }])
  const ran = await resources.run(1, 'db', 'start', LONG_MS)
  assert.equal(ran.outcome, 'failed')
  assert.match(ran.detail, /left no process/)
})

test('one program written in two ways is one thing', () => {
  const thing = (options: unknown) => exec.open(options).thing
  assert.equal(thing({ start: '/usr/lib/x start' }), 'program /usr/lib/x start')
  assert.equal(thing({ start: ['/usr/lib/x', 'start'] }), 'program /usr/lib/x start')
  assert.equal(thing({ start: '/usr//lib/../lib/x  "start"' }), 'program /usr/lib/x start')
  assert.equal(thing({ start: './x start', directory: '/usr/lib' }), 'program /usr/lib/x start')
  assert.notEqual(
    thing({ start: '/usr/lib/x start now' }),
    thing({ start: '/usr/lib/x "start now"' }),
  )
})

test('options that make no sense are refused with a reason', () => {
  const refusal = (options: unknown) => {
    try {
      exec.open(options)
    } catch (error) {
      return (error as Error).message
    }
    return 'accepted'
  }
  assert.match(refusal({}), /exactly one of `run` and `start`/)
  assert.match(refusal({ run: 'a', start: 'b' }), /exactly one of `run` and `start`/)
  assert.match(refusal({ run: '' }), /names no program/)
  assert.match(refusal({ run: 'a | b' }), /write sh -c/)
  assert.match(refusal({ run: ["'"], typo: 1 }), /typo/)
  assert.match(refusal({ run: "sh -c 'a" }), /opened and not closed/)
})
