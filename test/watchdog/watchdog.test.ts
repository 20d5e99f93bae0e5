/** H7: the thread that feeds, on a device that is a file; and the calls on what is no watchdog. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { kernel } from '../../src/watchdog/device.ts'
import { type Armed, openWatchdog } from '../../src/watchdog/watchdog.ts'
import type { Nature } from './double.ts'

const nowMs = () => Number(process.hrtime.bigint() / 1_000_000n)
const thread = new URL('./double.ts', import.meta.url)

interface Line {
  readonly atMs: number
  readonly word: string
}

function deviceFile(t: TestContext, nature: Nature = {}): string {
  const dir = mkdtempSync(join(tmpdir(), 'picket-watchdog-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const path = join(dir, 'watchdog')
  writeFileSync(path, `${JSON.stringify(nature)}\n`)
  return path
}

/** What was written to it, without what it was asked. */
function linesOf(path: string): readonly Line[] {
  return allOf(path).filter(({ word }) => !word.startsWith('timeout:'))
}

function allOf(path: string): readonly Line[] {
  const [, ...lines] = readFileSync(path, 'utf8').trimEnd().split('\n')
  return lines.map((line) => {
    const [atMs, word = ''] = line.split(' ')
    return { atMs: Number(atMs), word }
  })
}

interface More {
  readonly required?: boolean
  readonly timeoutMaxMs?: number
  readonly inherited?: number
}

function open(path: string, more: More = {}) {
  const said: string[] = []
  let forgotten = 0
  const watchdog = openWatchdog({
    path,
    timeoutMs: 2_000,
    timeoutMaxMs: more.timeoutMaxMs ?? 10_000,
    required: more.required ?? false,
    inherited: more.inherited,
    forget: () => void forgotten++,
    say: (_, text) => said.push(text),
    thread,
  })
  const arm = async (untilMs: number) => {
    const { promise, resolve } = Promise.withResolvers<Armed>()
    watchdog.arm(untilMs, resolve)
    return await promise
  }
  return { watchdog, arm, said, forgotten: () => forgotten }
}

/** Nothing on this thread runs meanwhile: no timer, no message, no promise. */
function block(forMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, forMs)
}

test('H7 a blocked loop is fed until its lease is over, and not a moment longer', async (t) => {
  const path = deviceFile(t)
  const { watchdog, arm } = open(path)
  const untilMs = nowMs() + 3_000
  assert.deepEqual(await arm(untilMs), { ok: true, timeoutMs: 2_000, detail: 'a double' })
  block(Math.max(0, untilMs - nowMs()) + 2_000)
  const feeds = linesOf(path).filter(({ word }) => word === 'feed')
  assert.ok(feeds.length >= 4, `${feeds.length} feedings`)
  for (const [i, { atMs }] of feeds.entries()) {
    assert.ok(atMs <= untilMs, `fed ${atMs - untilMs} ms too late`)
    // Half of the timeout would do; the machine has others at work.
    if (i > 0) assert.ok(atMs - feeds[i - 1]!.atMs < 1_900)
  }
  watchdog.feedUntil(nowMs() + 1_500)
  await sleep(1_200)
  assert.ok(linesOf(path).filter(({ word }) => word === 'feed').length > feeds.length)
  watchdog.disarm()
  await watchdog.settled()
  assert.equal(linesOf(path).at(-1)?.word, 'V')
})

test('H7 four files that never open do not keep it from feeding', async (t) => {
  const path = deviceFile(t)
  const child = spawn(process.execPath, [join(import.meta.dirname, 'starved.ts'), path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  const before = linesOf(path).length
  await sleep(2_000)
  assert.ok(linesOf(path).length >= before + 2, `${linesOf(path).length - before} feedings`)
  child.kill('SIGKILL')
  await once(child, 'exit')
  // Killed, it has told nobody to let the machine be.
  assert.ok(linesOf(path).every(({ word }) => word !== 'V' && word !== 'drop'))
})

const refusals: readonly (readonly [what: string, nature: Nature, says: RegExp])[] = [
  ['stops with its program', { magicClose: false }, /stops as soon as its program ends/],
  ['can never be stopped', { nowayout: true }, /nowayout=0, or write watchdog.mode: required/],
  ['waits for too short a time', { secondsMax: 1 }, /waits 1 s, and was asked for 2 s/],
  ['waits for too long', { secondsMin: 60 }, /waits 60 s, and was asked for 2 s/],
  ['is in use', { code: 'EBUSY' }, /in use by sleeper \(7\): systemd.*sbd; only one may have it/],
  ['is not ours', { code: 'EACCES' }, /may not open .*run it as root/],
  ['is broken', { code: 'EIO' }, /cannot be used: EIO/],
]

for (const [what, nature, says] of refusals) {
  test(`H7 a device that ${what} is none, and is let go`, async (t) => {
    const path = deviceFile(t, nature)
    const { arm, watchdog } = open(path)
    const { ok, detail } = await arm(nowMs() + 5_000)
    assert.equal(ok, false)
    assert.match(detail, says)
    await watchdog.settled()
    const words = linesOf(path).map(({ word }) => word)
    if (words.includes('open')) assert.deepEqual(words, ['open', 'V'])
  })
}

test('H7 a device that rounds its timeout up is used as it is', async (t) => {
  const { arm, watchdog } = open(deviceFile(t, { secondsMin: 8 }))
  assert.deepEqual(await arm(nowMs() + 1_000), { ok: true, timeoutMs: 8_000, detail: 'a double' })
  watchdog.disarm()
  await watchdog.settled()
})

test('H7 what must be there is used also where it cannot be stopped; softdog is remarked on', async (t) => {
  const path = deviceFile(t, { nowayout: true, identity: 'Software Watchdog' })
  const { arm, watchdog, said } = open(path, { required: true })
  assert.equal((await arm(nowMs() + 1_000)).ok, true)
  assert.match(said.join('\n'), /softdog.*dies with the kernel[\s\S]*every end of picketd resets/)
  watchdog.disarm()
  await watchdog.settled()
})

test('H7 no device, one that is opened again, and one that fails later', async (t) => {
  const { arm, watchdog } = open('/nonexistent/watchdog')
  assert.match((await arm(nowMs() + 1_000)).detail, /there is no \/nonexistent\/watchdog: load/)
  assert.equal((await arm(nowMs() + 1_000)).ok, false)
  await watchdog.settled()

  const path = deviceFile(t, { takes: 2 })
  const other = open(path)
  const words: Armed[] = []
  const failed = Promise.withResolvers<void>()
  other.watchdog.arm(nowMs() + 20_000, (word) => {
    words.push(word)
    if (!word.ok) failed.resolve()
  })
  await failed.promise
  assert.deepEqual(
    words.map(({ ok }) => ok),
    [true, false],
  )
  assert.match(words[1]!.detail, /takes nothing: EIO/)
  assert.deepEqual(
    linesOf(path).map(({ word }) => word),
    ['open', 'feed', 'feed', 'drop'],
  )
  await other.watchdog.settled()
})

test('H7 handed over it waits for longer, stays open, and is fed by the next one alone', async (t) => {
  const path = deviceFile(t)
  const first = open(path)
  await first.arm(nowMs() + 5_000)
  first.watchdog.handOver(nowMs() + 60_000)
  await first.watchdog.settled()
  const handed = allOf(path).map(({ word }) => word)
  assert.deepEqual(handed.slice(-1), ['timeout:60'])
  assert.ok(!handed.includes('V') && !handed.includes('drop'))

  // As whoever keeps it has it: the same file.
  const next = open(path, { inherited: openSync(path, 'a') })
  await sleep(300)
  assert.equal(allOf(path).length, handed.length, 'it was touched before it was armed')
  assert.equal((await next.arm(nowMs() + 5_000)).ok, true)
  assert.equal(next.forgotten(), 1)
  await sleep(700)
  next.watchdog.disarm()
  await next.watchdog.settled()
  const words = allOf(path).map(({ word }) => word)
  assert.deepEqual(words.slice(handed.length, handed.length + 3), ['adopt', 'timeout:2', 'feed'])
  assert.equal(words.at(-1), 'V')
  assert.deepEqual([...first.said, ...next.said], [])
})

test('H7 handed over without more time it is left as it is, and what was inherited is let go', async (t) => {
  const path = deviceFile(t)
  const first = open(path)
  await first.arm(nowMs() + 5_000)
  first.watchdog.handOver(nowMs() + 100)
  await first.watchdog.settled()
  assert.deepEqual(allOf(path).at(-1)?.word, 'feed')
  // It has found everything stopped before it was armed.
  const next = open(path, { inherited: openSync(path, 'a') })
  next.watchdog.disarm()
  await next.watchdog.settled()
  assert.deepEqual(
    allOf(path)
      .slice(-2)
      .map(({ word }) => word),
    ['adopt', 'V'],
  )
  assert.equal(next.forgotten(), 1)
})

test('H7 a device that cannot wait for so long is let go, and it is said', async (t) => {
  const path = deviceFile(t, { secondsMax: 30 })
  const { arm, watchdog, said } = open(path)
  await arm(nowMs() + 5_000)
  watchdog.handOver(nowMs() + 60_000)
  await watchdog.settled()
  assert.equal(linesOf(path).at(-1)?.word, 'V')
  assert.match(said.join(), /is let go: .* cannot wait for 60 s, it makes 30 s of it\./)
})

test('H7 the calls of the kernel take nothing for a watchdog that is none', (t) => {
  assert.throws(() => kernel.open(deviceFile(t)), /is no device/)
  assert.throws(() => kernel.open('/dev/null'), /it does not say what it is \(errno 25\)/)
  assert.throws(() => kernel.open('/nonexistent/watchdog'), { code: 'ENOENT' })
  assert.equal(kernel.nowayout('/nonexistent/watchdog'), false)
  assert.match(kernel.holders('/dev/null').join(' '), new RegExp(`\\(${process.pid}\\)`))
})
