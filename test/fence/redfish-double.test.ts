/**
 * Is the double a Redfish service, and not just our own reading of the manual? Foreign clients
 * switch its machines: DMTF's redfishtool, OpenStack's sushy, and the fence agent of Pacemaker.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { missing } from '../needs.ts'
import { type Double, operator, redfishDouble } from './redfish-double.ts'
import { hgx, idrac, ilo, openbmc, type Profile, xcc } from './redfish-profiles.ts'

interface Said {
  readonly code: number | null
  readonly text: string
}

function run(program: string, args: readonly string[], stdin = ''): Promise<Said> {
  return new Promise((resolve, reject) => {
    // Nothing of our environment: a list of certificates in it would outweigh what they are told.
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' }
    const child = spawn(program, args, { timeout: 20_000, env })
    let text = ''
    child.stdout.on('data', (chunk) => (text += String(chunk)))
    child.stderr.on('data', (chunk) => (text += String(chunk)))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, text }))
    child.stdin.end(stdin)
  })
}

async function on(profile: Profile, work: (double: Double) => Promise<void>): Promise<void> {
  const double = await redfishDouble(profile)
  try {
    await work(double)
  } finally {
    await double.close()
  }
}

const noTool = missing('redfishtool')
const noSushy = missing('/usr/lib/python3/dist-packages/sushy/main.py')
const noAgent = missing('fence_redfish')

for (const profile of [ilo, idrac, { ...xcc, slash: 'redirects' } as const, openbmc]) {
  const title = `redfishtool switches the double of ${profile.vendor} (slash: ${profile.slash})`
  test(title, { skip: noTool }, () =>
    on(profile, async ({ transport, power, sessions }) => {
      const login = ['-u', operator.user, '-p', operator.password]
      const at = ['-r', `${transport.host}:${transport.port}`, ...login, '-S', 'Always']
      const tool = (...args: string[]) => run('redfishtool', [...at, ...args])
      const before = await tool('Systems', '-1', '-P', 'PowerState')
      assert.match(before.text, /On/)
      const off = await tool('Systems', '-1', 'reset', 'ForceOff')
      assert.equal(off.code, 0, off.text)
      await settled(() => power() === 'off')
      const session = await tool('-A', 'Session', 'Systems', '-1', '-P', 'PowerState')
      assert.match(session.text, /Off/)
      assert.equal(sessions.size, 0, 'its session is deleted')
      const wrong = await tool('-p', 'wrong', 'Systems', '-1')
      assert.match(wrong.text, /401/)
    }),
  )
}

test('redfishtool finds one of several systems of the double', { skip: noTool }, () =>
  on(hgx, async ({ transport, power }) => {
    const login = ['-u', operator.user, '-p', operator.password]
    const at = ['-r', `${transport.host}:${transport.port}`, ...login, '-S', 'Always']
    const off = await run('redfishtool', [...at, 'Systems', '-I', 'System_0', 'reset', 'ForceOff'])
    assert.equal(off.code, 0, off.text)
    await settled(() => power('System_0') === 'off')
    assert.equal(power('HGX_Baseboard_0'), 'on')
  }),
)

const sushyScript = `
import sys, sushy
url, user, password, kind = sys.stdin.read().split()
auth = (sushy.auth.BasicAuth if kind == 'basic' else sushy.auth.SessionAuth)(user, password)
root = sushy.Sushy(url, auth=auth, verify=False)
system = root.get_system_collection().get_members()[-1]
print('was', system.power_state.value, sorted(v.value for v in system.get_allowed_reset_system_values()))
system.reset_system(sushy.RESET_FORCE_OFF)
system.refresh(force=True)
print('is', system.power_state.value, system.uuid)
if kind == 'session': auth.close()
`

for (const kind of ['basic', 'session']) {
  test(`sushy switches the double of Lenovo off, login: ${kind}`, { skip: noSushy }, () =>
    on(xcc, async ({ transport, power, sessions }) => {
      const words = `${transport.url} ${operator.user} ${operator.password} ${kind}`
      const said = await run('/usr/bin/python3', ['-W', 'ignore', '-c', sushyScript], words)
      assert.equal(said.code, 0, said.text)
      assert.match(said.text, /was On .*ForceOff/)
      assert.match(said.text, /is Off 7a1d4f1c/)
      assert.equal(power(), 'off')
      assert.equal(sessions.size, 0)
    }),
  )
}

test('fence_redfish switches the double of Dell off and on', { skip: noAgent }, () =>
  on(idrac, async ({ transport, power }) => {
    const { host, port } = transport
    const login = `username=${operator.user}\npassword=${operator.password}\nssl_insecure=1\n`
    const agent = (action: string) =>
      run('fence_redfish', [], `action=${action}\nip=${host}\nipport=${port}\n${login}`)
    const off = await agent('off')
    assert.equal(off.code, 0, off.text)
    assert.equal(power(), 'off')
    assert.equal((await agent('status')).code, 2)
    const back = await agent('on')
    assert.equal(back.code, 0, back.text)
    assert.equal(power(), 'on')
  }),
)

async function settled(isSo: () => boolean): Promise<void> {
  const untilMs = performance.now() + 3_000
  while (!isSo() && performance.now() < untilMs) await new Promise((go) => setTimeout(go, 20))
  assert.ok(isSo())
}
