import assert from 'node:assert/strict'
import { chownSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseArguments } from '../../src/daemon/arguments.ts'
import { otherMaster, pacemakerHere } from '../../src/daemon/strangers.ts'
import { waitForCorosync } from '../../src/daemon/waiting.ts'
import { listener, scratch } from './scratch.ts'

test('without arguments picketd uses the usual places', () => {
  assert.deepEqual(parseArguments([]), {
    kind: 'run',
    given: {
      config: '/etc/picket/config.yaml',
      stateDir: '/var/lib/picket',
      runDir: '/run/picket',
      json: false,
      onceCheck: false,
    },
  })
})

test('wrong arguments are named', () => {
  for (const [words, because] of [
    [['--confg', 'x'], /confg/],
    [['start'], /start/],
    [['--log', 'xml'], /--log takes text or json, not xml/],
    [['--config'], /config/],
  ] as const) {
    const parsed = parseArguments(words)
    assert.match(parsed.kind === 'wrong' ? parsed.because : '', because)
  }
})

test('H24 Pacemaker or sbd on this node is in the way, anything else is not', (t) => {
  const proc = scratch(t)
  const run = (pid: string, comm: string) => {
    mkdirSync(join(proc, pid))
    writeFileSync(join(proc, pid, 'comm'), `${comm}\n`)
  }
  run('1', 'systemd')
  run('812', 'corosync')
  mkdirSync(join(proc, 'sys'))
  mkdirSync(join(proc, '99'))
  assert.equal(otherMaster(proc), undefined)
  run('913', 'pacemakerd')
  assert.match(
    otherMaster(proc) ?? '',
    /^Pacemaker manages this node \(process 913\).*disable --now/,
  )
  const other = scratch(t)
  mkdirSync(join(other, '7'))
  writeFileSync(join(other, '7', 'comm'), 'sbd\n')
  assert.match(otherMaster(other) ?? '', /^sbd manages this node/)
  assert.equal(pacemakerHere(other), false)
})

test('Pacemaker is believed to be here only where root runs it', (t) => {
  const proc = scratch(t)
  mkdirSync(join(proc, '913'))
  writeFileSync(join(proc, '913', 'comm'), 'pacemaker-fence\n')
  const root = process.getuid?.() === 0
  assert.equal(pacemakerHere(proc), root)
  if (!root) return
  mkdirSync(join(proc, 'self/ns'), { recursive: true })
  symlinkSync('pid:[4026531836]', join(proc, 'self/ns/pid'))
  mkdirSync(join(proc, '913/ns'))
  symlinkSync('pid:[4026532000]', join(proc, '913/ns/pid'))
  assert.equal(pacemakerHere(proc), false, 'it runs in a container')
  rmSync(join(proc, '913/ns'), { recursive: true })
  rmSync(join(proc, 'self'), { recursive: true })
  assert.equal(pacemakerHere(proc), true)
  chownSync(join(proc, '913'), 65534, 65534)
  assert.equal(pacemakerHere(proc), false)
})

test('Corosync is waited for, and the wait is told once and then now and again', async () => {
  const { said, say } = listener()
  let attempts = 0
  const attempt = async () => {
    attempts++
    if (attempts < 40) throw new Error('Corosync is not running on this node')
    return 'joined'
  }
  const { signal } = new AbortController()
  const every = { everyMs: 2, remindMs: 30 }
  assert.equal(await waitForCorosync({ attempt, say, signal, ...every }), 'joined')
  assert.equal(attempts, 40)
  assert.ok(said.length >= 2 && said.length < 20, `${said.length} lines`)
  assert.match(said[0] ?? '', /^warn: picketd waits for Corosync: Corosync is not running/)
})

test('the wait for Corosync ends when the daemon is to leave', async () => {
  const { say } = listener()
  const stop = new AbortController()
  const attempt = () => Promise.reject(new Error('not running'))
  const wait = waitForCorosync({ attempt, say, signal: stop.signal, everyMs: 60_000 })
  setTimeout(() => stop.abort(), 10)
  assert.equal(await wait, undefined)
})
