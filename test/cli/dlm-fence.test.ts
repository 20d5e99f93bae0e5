/** H21: `picket dlm-fence`, called as dlm_controld calls it, on a socket whose answers are known. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Desk, openDesk } from './daemon.ts'

const home = join(import.meta.dirname, '../..')

/** The helper with no argument, this on its standard input, and nobody who reads what it says. */
async function called(desk: Pick<Desk, 'socket'>, input: string) {
  const env = { PATH: `${home}/bin:${process.env.PATH}`, PICKET_SOCKET: desk.socket, HOME: '/' }
  const child = spawn(`${home}/packaging/picket_dlm`, [], { env })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  child.stdin.end(input)
  const code = await new Promise((resolve) => child.on('close', resolve))
  return { code, said }
}

const proven = { ok: true, because: 'node2 is off: proven' } as const
const open = (order: '' | 'reboot') =>
  ({ ok: false, because: 'node2 is lost', node: 'node2', order }) as const

test('a proof is a success at once, and nothing is ordered', async (t) => {
  const desk = await openDesk(t, {})
  desk.world.proofs = [proven]
  const { code } = await called(desk, 'node=2\nfail_time=1763770000\n')
  assert.deepEqual([code, desk.given, desk.asked], [0, [], [2]])
})

test('what is under way is waited for, without an order', async (t) => {
  const desk = await openDesk(t, {})
  desk.world.proofs = [open(''), open(''), proven]
  const { code } = await called(desk, 'timeout=30\nnode=2\n')
  assert.deepEqual([code, desk.given], [0, []])
})

test('where nobody is at it one order is given, in the name of dlm_controld', async (t) => {
  const desk = await openDesk(t, {})
  desk.world.proofs = [open('reboot'), open('reboot'), open(''), proven]
  const { code } = await called(desk, 'node=2\n')
  assert.equal(code, 0)
  assert.deepEqual(
    desk.given.map(({ action, target }) => [action, target]),
    [['reboot', 'node2']],
  )
  assert.match(desk.given[0]!.requester, /^dlm_controld on /)
})

test('a refused order, an unknown node and a bound that is over are failures', async (t) => {
  const desk = await openDesk(t, {})
  desk.world.proofs = [open('reboot')]
  desk.world.refusal = 'there is no quorum'
  const refused = await called(desk, 'node=2\n')
  assert.deepEqual([refused.code, /no quorum/.test(refused.said)], [1, true], refused.said)
  desk.world.proofs = [{ ok: false, because: 'there is no node with nodeid 9' }]
  assert.equal((await called(desk, 'node=9\n')).code, 1)
  desk.world.proofs = [open('')]
  const late = await called(desk, 'node=2\ntimeout=2\n')
  assert.deepEqual([late.code, /node2 is lost/.test(late.said)], [1, true], late.said)
})

test('no picketd, no node, nonsense and an unfencing are failures', async (t) => {
  const desk = await openDesk(t, {})
  desk.world.proofs = [proven]
  assert.equal((await called({ socket: '/nowhere/control.sock' }, 'node=2\n')).code, 1)
  for (const input of ['', 'node=\n', 'node=node2\n', 'node=-1\n', 'node=2\ntimeout=x\n']) {
    assert.equal((await called(desk, input)).code, 1, input)
  }
  assert.equal((await called(desk, 'node=2\naction=on\n')).code, 1)
  assert.equal((await called(desk, `${'x'.repeat(100_000)}\nnode=2\n`)).code, 1)
  assert.deepEqual(desk.asked, [])
})
