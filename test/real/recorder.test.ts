/**
 * `fence_recorder` under the real pacemaker-fenced, with a responder that switches a real BMC: what
 * Pacemaker asks for is done, proven and recorded, and what is not done is a failure that says why.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { beginWithFenced, whyNoFenced } from '../../src/lab/fenced.ts'
import { admin, noBmc } from '../fence/ipmi-sim.ts'

const home = join(import.meta.dirname, '../..')
const skip = noBmc || (whyNoFenced() ?? false)

/** Runs in the box: each line says what it did, its exit code, and how the power is then. */
const tour = (dir: string): string => `
import { setTimeout as sleep } from 'node:timers/promises'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { install } from '${home}/src/agent/install.ts'
import { startBmc } from '${home}/test/fence/ipmi-sim.ts'
install('/usr/sbin')
const bmc = await startBmc()
const dir = '${dir}'
writeFileSync(dir + '/config.yaml', [
  'cluster: { name: box, nodes: [{ name: web1, fence: { driver: ipmi, host: 127.0.0.1,',
  '  port: ' + bmc.port + ' } }, { name: labnode1 }] }',
  'fence: { drivers: { ipmi: { cipher: 3, privilege: administrator, timeout_seconds: 5 } } }',
].join('\\n') + '\\n')
const admin = (what, ...args) => {
  const ran = spawnSync('stonith_admin', args, { encoding: 'utf8', timeout: 120_000 })
  const said = (ran.stdout + ran.stderr).trim().replaceAll('\\n', ' | ')
  console.log(JSON.stringify({ what, code: ran.status, said, power: bmc.power() }))
}
const respond = () => spawn(process.execPath, ['${home}/src/cli/main.ts', 'respond',
  '--config', dir + '/config.yaml', '--state', dir + '/state'], { stdio: 'inherit' })
let responder = respond()
for (let i = 0; i < 600 && !existsSync('/run/gfs2-fencing/responder.json'); i++) await sleep(100)
admin('metadata', '-M', '-a', 'fence_recorder')
admin('validate', '--validate', '-a', 'fence_recorder', '-o', 'gfs2_discovery=0')
admin('register', '-R', 'rec', '-a', 'fence_recorder', '-o', 'gfs2_discovery=0',
  '-o', 'log_dir=/run/gfs2-logs', '-o', 'pcmk_host_list=web1')
admin('monitor', '-Q', 'rec', '-t', '60')
admin('off', '-F', 'web1', '-t', '60')
admin('on', '-U', 'web1', '-t', '60')
admin('reboot', '-B', 'web1', '-t', '60')
bmc.setMode('ignore')
admin('ignored', '-F', 'web1', '-t', '40')
bmc.setMode('obey')
responder.kill('SIGKILL')
await new Promise((resolve) => responder.once('close', resolve))
admin('unanswered monitor', '-Q', 'rec', '-t', '30')
admin('unanswered', '-F', 'web1', '-t', '6')
responder = respond()
await sleep(8_000)
admin('history', '-H', 'web1', '-V')
responder.kill('SIGKILL')
console.log(JSON.stringify({ what: 'commands', commands: bmc.commands() }))
spawnSync('cp', ['-r', '/run/gfs2-logs', dir + '/logs'])
await bmc.stop()
process.exit(0)
`

interface Step {
  readonly what: string
  readonly code: number
  readonly said: string
  readonly power: string
  readonly commands: readonly string[]
}

test('Pacemaker fences by way of the recorder', { skip, timeout: 500_000 }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'picket-fenced-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const secrets = `ipmi: { user: ${admin.name}, password: ${admin.password} }\n`
  writeFileSync(join(dir, 'fence-secrets.yaml'), secrets, { mode: 0o600 })
  writeFileSync(join(dir, 'tour.ts'), tour(dir))
  const child = beginWithFenced([process.execPath, join(dir, 'tour.ts')])
  let out = ''
  child.stdout?.on('data', (text) => {
    out += text
  })
  const code = await new Promise((resolve) => child.once('close', resolve))
  assert.equal(code, 0, out)
  const steps = new Map<string, Step>(
    out
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line): [string, Step] => [JSON.parse(line).what, JSON.parse(line)]),
  )
  const step = (what: string) => steps.get(what) ?? assert.fail(`${what} is missing: ${out}`)
  for (const [what, power] of [
    ...[
      ['metadata', 'on'],
      ['validate', 'on'],
      ['register', 'on'],
      ['monitor', 'on'],
    ],
    ...[
      ['off', 'off'],
      ['on', 'on'],
      ['reboot', 'on'],
    ],
  ] as const) {
    assert.deepEqual([step(what).code, step(what).power], [0, power], `${what}: ${step(what).said}`)
  }
  assert.notEqual(step('ignored').code, 0, 'the BMC did nothing')
  assert.notEqual(step('unanswered monitor').code, 0)
  assert.notEqual(step('unanswered').code, 0)
  assert.equal(step('history').power, 'on', 'what was late has not been done afterwards')
  const readable = readFileSync(join(dir, 'logs/fence-events-readable.log'), 'utf8')
  assert.match(
    readable,
    /ACTION=off TARGET=web1 GFS2=\["unknown"\] STATUS=requested DETAILS=.*Pace/,
  )
  assert.match(readable, /ACTION=reboot TARGET=web1 .* STATUS=completed/)
  assert.match(readable, /ACTION=off TARGET=web1 .* STATUS=failed DETAILS=.*reads on/)
  assert.doesNotMatch(readable + out, /canary/)
})
