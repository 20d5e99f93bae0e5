/** The check `exec`, of real programs: also those that hang, fork, flood and cannot be run. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openChecks } from '../../src/health/runner.ts'
import { until } from '../resources/room.ts'
import { checkOf } from './stand.ts'

test('exit code 0 is good; everything else is bad, with what it said', async (t) => {
  const of = async (run: string | readonly string[]) =>
    await (await checkOf(t, 'exec', { run })).ask()
  assert.equal(await of('true'), 'good: exited with 0')
  assert.equal(await of('false'), 'bad: exited with 1')
  const said = ['sh', '-c', 'echo not mounted >&2; exit 3']
  assert.equal(await of(said), 'bad: exited with 3: "not mounted"')
  assert.match(await of('/nowhere/check'), /^bad: cannot be run: there is no \/nowhere\/check/)
  assert.match(await of('/etc/passwd'), /^bad: cannot be run: \/etc\/passwd is not executable/)
  assert.match(await of(['sh', '-c', 'kill -9 $$']), /^bad: was ended by SIGKILL/)
})

test('it is told for whom it is asked, and runs as whom and where it should', async (t) => {
  const run = ['sh', '-c', 'echo "$PICKET_CHECK of $PICKET_RESOURCE by $(id -un) in $PWD"; exit 1']
  const { ask } = await checkOf(t, 'exec', { run, directory: '/tmp' })
  assert.match(await ask(5_000, 'web'), /"it of web by \w+ in \/tmp"/)
  assert.match(await ask(), /"it of by|"it of {2}by/)
  const stranger = await checkOf(t, 'exec', { run, user: 'nobody-of-that-name' })
  assert.match(await stranger.ask(), /^bad: there is no user nobody-of-that-name on this node/)
})

test('who hangs is killed at the bound, with all of its children, also those that hide', async (t) => {
  const { ask, room } = await checkOf(t, 'exec', (room) => ({
    run: room.script(
      'check',
      `trap '' TERM
(setsid setsid sleep ${room.mark} &)
sleep ${room.mark} &
wait
sleep ${room.mark}`,
    ),
  }))
  const beganMs = performance.now()
  assert.equal(await ask(500), 'bad: no answer within 0.5 s')
  assert.ok(performance.now() - beganMs < 5_000)
  assert.deepEqual(room.alive(), [])
})

test('what it leaves in the background ends with it', async (t) => {
  const { ask, room } = await checkOf(t, 'exec', (room) => ({
    run: room.script('check', `(setsid setsid sleep ${room.mark} &) ; exit 0`),
  }))
  assert.equal(await ask(), 'good: exited with 0')
  assert.deepEqual(room.alive(), [])
})

test('who prints without end, or garbage, costs one short line', async (t) => {
  const flood = await checkOf(t, 'exec', { run: ['sh', '-c', 'yes | head -c 50000000; exit 1'] })
  const said = await flood.ask(20_000)
  assert.match(said, /^bad: exited with 1: "/)
  assert.ok(said.length < 200, said)
  const garbage = ['sh', '-c', 'head -c 3000 /dev/urandom; printf "\\033[31m\\n\\0"; exit 1']
  const { ask } = await checkOf(t, 'exec', { run: garbage })
  const line = await ask()
  assert.ok(line.length < 200)
  assert.doesNotMatch(line, /\p{Cc}/u)
})

test('many questions at once do not disturb each other', async (t) => {
  const { checks, room } = await checkOf(t, 'exec', (room) => ({
    run: ['sh', '-c', `test "$PICKET_RESOURCE" = slow && sleep ${room.mark}; exit 0`],
  }))
  const slow = checks.ask('it', 'slow', 800)
  const quick = await Promise.all(['', 'web', 'db'].map((each) => checks.ask('it', each, 5_000)))
  assert.deepEqual(
    quick.map(({ ok }) => ok),
    [true, true, true],
  )
  assert.equal((await slow).ok, false)
  assert.deepEqual(room.alive(), [])
})

test('what a killed daemon has left running is ended by the next one', async (t) => {
  const { room, checks } = await checkOf(t, 'exec', (room) => ({ run: ['sleep', room.mark] }))
  const asked = checks.ask('it', '', 20_000)
  await until('it runs', () => room.alive().length === 1)
  const next = await openChecks({
    stateDir: join(room.dir, 'checks'),
    checks: [{ id: 'it', type: 'exec', options: { run: 'true' } }],
    say: (_, text) => room.said.push(text),
    onStirred: () => undefined,
  })
  t.after(() => next.close())
  assert.deepEqual(room.alive(), [])
  assert.match(room.said.join(), /Health checks of a former daemon were still running: ended/)
  assert.equal((await asked).ok, false)
})

test('what is under way ends with the daemon', async (t) => {
  const { room, checks } = await checkOf(t, 'exec', (room) => ({ run: ['sleep', room.mark] }))
  const asked = checks.ask('it', '', 20_000)
  await until('it runs', () => room.alive().length === 1)
  checks.close()
  assert.equal((await asked).ok, false)
  assert.deepEqual(room.alive(), [])
})

test('a check that this node does not know is a bad answer', async (t) => {
  const { checks } = await checkOf(t, 'exec', { run: 'true' })
  assert.equal((await checks.ask('other', '', 1_000)).detail, 'this node does not know it')
})
