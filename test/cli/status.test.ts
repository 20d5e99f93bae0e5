/** `picket status`: one honest screen, and a sentence when there is nothing to show. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { defaultSocket } from '../../src/cli/control.ts'
import { heldBy } from '../../src/cli/held.ts'
import { screen } from '../../src/cli/screen.ts'
import { parseArguments } from '../../src/daemon/arguments.ts'
import { socketName } from '../../src/daemon/protocol.ts'
import { healthy, member, openDesk, openStranger } from './daemon.ts'
import { picket } from './picket.ts'

const ESCAPE = '\u001b'
const coloursOf = new RegExp(`${ESCAPE}\\[[\\d;]*m`, 'g')

test('a cluster in good health is told on one screen, without colours in a pipe', async (t) => {
  const { socket } = await openDesk(t, healthy())
  const { code, out, err } = await picket(['status', '--socket', socket])
  assert.deepEqual([code, err], [0, ''])
  assert.equal(
    out,
    `shop  ✓ ready
seen from web-01, quorum yes, ring 1.2c, coordinator web-02

Nodes
  ✓ web-01  member     this node; holds vip
      ✓ can be fenced via ipmi web-01/1/1
  ✓ web-02  member
      ✓ can be fenced via ipmi web-02/1/1
  ✓ web-03  member
      ✓ can be fenced via ipmi web-03/1/1

Resources
  ✓ vip     running on web-01  (address 10.0.0.9)
`,
  )
})

test('trouble is told with its reasons, and with what to do', async () => {
  const status = healthy({
    ready: false,
    because: 'no quorum: 1 of 3 nodes are in the ring, 2 are needed',
    quorate: false,
    coordinator: undefined,
    nodes: [
      member('web-01', {
        devices: [
          { id: 'web-01/1/1', driver: 'ipmi', ok: undefined, detail: '' },
          {
            id: 'web-01/2/1',
            driver: 'ipmi',
            ok: false,
            detail: 'the device refused our password',
          },
        ],
      }),
      member('web-02', {
        daemon: false,
        late: true,
        checks: [
          {
            ...{ check: 'gateway', resource: '', verdict: 'failing', settled: true },
            ...{ forMs: 12_400, against: 1, needed: 4, detail: 'no answer\n' },
          },
        ],
      }),
      member('web-03', {
        standing: 'lost',
        because: 'it left the ring without a goodbye',
        inRing: false,
        daemon: false,
        holds: ['anything'],
        deferred: 'the delay before a fencing is 30.0 s',
        devices: [],
        fencing: {
          id: 'f1',
          action: 'off',
          because: 'lost',
          requester: 'the cluster',
          owner: 'web-01',
          round: 2,
          at: 'pressing via web-03/1/1',
          verdict: undefined,
        },
      }),
    ],
    resources: [
      {
        id: 'vip',
        thing: 'address 10.0.0.9',
        state: 'blocked',
        node: 'web-03',
        because: 'web-03 may hold it and is not proven dead',
        failures: {},
      },
    ],
    orders: [
      {
        id: 'o1',
        action: 'off',
        target: 'web-03',
        resource: '',
        requester: 'root@web-01',
        reason: 'smoke',
        boot: '',
        sinceMs: 1,
        at: 'waiting',
        because: 'no quorum',
      },
    ],
    advice: ['web-03 cannot be proven off: check its devices (picket fence check web-03)'],
  })
  const text = screen(status, (_, words) => words).join('\n')
  assert.equal(
    text,
    `shop  ✗ cannot decide now: no quorum: 1 of 3 nodes are in the ring, 2 are needed
seen from web-01, quorum no, ring 1.2c, coordinator none

Nodes
  ✓ web-01  member     this node
      · not asked from this node: ipmi web-01/1/1
      ✗ cannot be fenced via ipmi web-01/2/1: the device refused our password
  … web-02  member     picketd does not run there; a late command may still reach it
      ✓ can be fenced via ipmi web-02/1/1
      ✗ check gateway has been failing for 12 s: no answer ; it takes 4 good answers in a row, 1 of them there
  ✗ web-03  lost       holds anything
      because it left the ring without a goodbye
      … not fenced yet: the delay before a fencing is 30.0 s
      … fencing (off, try 3, by web-01, for the cluster): pressing via web-03/1/1

Resources
  ✗ vip     blocked on web-03: web-03 may hold it and is not proven dead  (address 10.0.0.9)

Orders
  … off web-03 for root@web-01: waiting, no quorum

What to do
  ! web-03 cannot be proven off: check its devices (picket fence check web-03)`,
  )
})

test('H7 the watchdog of each node is told, and why there is none', () => {
  const armed = { armed: true, timeoutMs: 10_000, leaseMs: 131_000, detail: 'iTCO_wdt' } as const
  const none = { armed: false, timeoutMs: 0, leaseMs: 131_000, detail: '' } as const
  const detail = 'there is no /dev/watchdog'
  const nodes = [
    member('web-01', {
      watchdog: { ...armed, mode: 'required', fedForMs: 119_600, keeper: false },
    }),
    member('web-02', { watchdog: { ...none, mode: 'required', detail } }),
    member('web-03', { watchdog: { ...none, mode: 'automatic' } }),
  ]
  const lines = screen(healthy({ nodes }), (_, text) => text)
  assert.deepEqual(
    lines.filter((line) => line.includes('watchdog')).map((line) => line.trim()),
    [
      '✓ watchdog iTCO_wdt (10 s), lease 131 s, fed for 120 s as things are, let go while picketd is replaced',
      '✗ no watchdog, and takes nothing without: there is no /dev/watchdog',
      '· no watchdog: it is not armed yet',
    ],
  )
})

test('--json is the status itself', async (t) => {
  const status = healthy()
  const { socket } = await openDesk(t, status)
  const { code, out } = await picket(['status', '--json'], { env: { PICKET_SOCKET: socket } })
  assert.equal(code, 0)
  assert.deepEqual(JSON.parse(out), JSON.parse(JSON.stringify(status)))
})

test('--watch shows every change, and asks again when the daemon has ended', async (t) => {
  const desk = await openDesk(t, healthy())
  const watching = picket(['status', '--watch', '--json', '--socket', desk.socket], {
    until: /ended the connection; it is asked again.*ended the connection/s,
  })
  // News come for longer than a start takes; then the daemon ends.
  let beat = 0
  const timer = setInterval(() => {
    beat += 1
    desk.world.status = healthy({ advice: [`beat ${beat}`] })
    desk.control.changed()
    if (beat === 60) desk.control.close()
  }, 50)
  t.after(() => clearInterval(timer))
  const { signal, out } = await watching
  const lines = out.trim().split('\n')
  const beats: number[] = lines.map((line) => Number(/beat (\d+)/.exec(line)?.[1] ?? 0))
  assert.ok(beats.length >= 2, `${beats.length} pictures`)
  assert.deepEqual(
    beats,
    [...new Set(beats)].sort((x, y) => x - y),
  )
  assert.equal(signal, 'SIGINT')
})

test('a terminal gets colours unless it asks for none; words stay the same', async (t) => {
  const { socket } = await openDesk(t, healthy())
  const call = `'${join(import.meta.dirname, '..', '..', 'bin', 'picket')}' status --socket '${socket}'`
  const inTerminal = (env: Record<string, string>) =>
    picket(['-qec', call, '/dev/null'], { argv0: 'script', env: { TERM: 'xterm', ...env } })
  const coloured = await inTerminal({})
  const plain = await inTerminal({ NO_COLOR: '1' })
  assert.ok(coloured.out.includes(`${ESCAPE}[32m✓ ready${ESCAPE}[0m`))
  assert.equal(plain.out.includes(ESCAPE), false)
  assert.equal(coloured.out.replace(coloursOf, ''), plain.out)
})

test('without picketd it says so and what to do, and ends with 1', async () => {
  const { code, out, err } = await picket(['status', '--socket', '/nowhere/picketd.sock'])
  assert.deepEqual([code, out], [1, ''])
  assert.equal(
    err,
    'picket status: picketd is not running here (nothing answers at /nowhere/picketd.sock); ' +
      'start it, or name its socket with --socket.\n',
  )
})

test('a daemon that waits for Corosync says so, and takes no orders', async (t) => {
  const because = 'picketd has not joined the cluster yet: it waits for Corosync'
  const { socket } = await openDesk(t, because)
  const status = await picket(['status', '--socket', socket])
  assert.deepEqual([status.code, status.err], [1, `picket status: ${because}.\n`])
  const order = await picket(['fence', 'off', 'web-02', '--yes', '--socket', socket])
  assert.equal(order.code, 1)
  assert.match(order.err, /waits for Corosync\. Nothing was switched from here\./)
})

test('the usual socket is where the daemon opens it', () => {
  const parsed = parseArguments([])
  assert.ok(parsed.kind === 'run')
  assert.equal(join(parsed.given.runDir, socketName), defaultSocket)
})

test('whatever else listens there cannot confuse, flood or steer the terminal', async (t) => {
  const strangers: readonly (readonly [says: RegExp, answer: string | Buffer])[] = [
    [/is not picketd/, 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    [/is not picketd/, '[]\n'],
    [/is not picketd/, 'null\n'],
    [/without a/, ''],
    [/did not tell/, '{"ok":true}\n'],
    [
      /picket status: no {1,2}.*\.$/m,
      `${JSON.stringify({ ok: false, because: `no${ESCAPE}[2J` })}\n`,
    ],
    [/did not tell/, '{"ok":true,"status":{"nodes":{}}}\n'],
    [/line without an end/, Buffer.alloc(9 * 2 ** 20, 'x')],
  ]
  for (const [says, answer] of strangers) {
    const socket = await openStranger(t, (peer) => peer.end(answer))
    const { code, out, err } = await picket(['status', '--socket', socket])
    assert.equal(code, 1, String(answer).slice(0, 40))
    assert.equal(out, '')
    assert.match(err, says)
    assert.equal(err.includes(ESCAPE), false)
  }
  const nasty = healthy({ cluster: `${ESCAPE}]0;x\u0007`, advice: [`${ESCAPE}[31mrun this\u202e`] })
  const { socket } = await openDesk(t, nasty)
  const { code, out } = await picket(['status', '--socket', socket])
  assert.equal(code, 0)
  for (const control of [ESCAPE, '\u0007', '\u202e']) assert.equal(out.includes(control), false)
})

test('a reader that has seen enough is no failure with a stack trace', async (t) => {
  const { socket } = await openDesk(t, healthy())
  const call = `'${join(import.meta.dirname, '..', '..', 'bin', 'picket')}' status --socket '${socket}' | true`
  const { err } = await picket(['-c', call], { argv0: 'sh' })
  assert.equal(err, '')
})

test('H2 a clone is one line, and names those of its instances that are not well', () => {
  const instance = (node: string, max: number, state = 'running', because = '') => ({
    ...{ id: `web@${node}`, thing: `unit nginx.service @${node}`, state, because },
    node: state === 'running' ? node : undefined,
    failures: {},
    clone: { id: 'web', max },
  })
  const lines = (...resources: ReturnType<typeof instance>[]) =>
    screen({ ...healthy(), resources }, (_, words) => words)
      .filter((line) => line.includes('web') && !line.includes('web-0'))
      .map((line) => line.trim())
  assert.deepEqual(lines(instance('n1', 3), instance('n2', 3), instance('n3', 3)), [
    '✓ web     clone 3/3  n1 n2 n3  (unit nginx.service)',
  ])
  const spare = instance('n3', 2, 'stopped', 'web runs on at most 2 nodes at once, now on n1, n2')
  assert.deepEqual(lines(instance('n1', 2), instance('n2', 2), spare), [
    '✓ web     clone 2/2  n1 n2  (unit nginx.service)',
  ])
  const failed = instance('n2', 2, 'stopped', 'it failed there a moment ago')
  assert.deepEqual(lines(instance('n1', 2), failed, instance('n3', 2, 'starting')), [
    '… web     clone 1/2  n1  (unit nginx.service)',
    '… web@n2  stopped: it failed there a moment ago',
    '… web@n3  starting',
  ])
})

test('H2 what a node holds of a clone is named as the clone', () => {
  const instance = {
    ...{ id: 'web@n1', thing: 'unit nginx.service @n1', state: 'running', because: '' },
    ...{ node: 'n1', failures: {}, clone: { id: 'web', max: 3 } },
  }
  const holds = [instance.thing, 'address 192.0.2.9']
  assert.equal(heldBy({ holds }, [instance]), 'web, address 192.0.2.9')
})

test('H18 alarms stand before what to do, as long as they are so', () => {
  const text = 'b has no fence device: when it is lost, what was there waits for a person'
  const lines = screen({ ...healthy(), alarms: [text] }, (_, each) => each)
  assert.deepEqual(lines.slice(-3), ['', 'Alarms', `  ✗ ${text}`])
})
