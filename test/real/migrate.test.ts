/**
 * Live moves on a real cluster (H2): an agent of its own, whose memory moves with it, and one of
 * Pacemaker's, as a referee that knows nothing of us. What is asserted comes from the agent: its
 * counter goes on where it was only if it has moved live, and begins anew if it was started.
 */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { askOnce } from '../../src/cli/control.ts'
import { statusIn } from '../../src/cli/status.ts'
import type { ResourceStatus } from '../../src/core/status.ts'
import {
  crash,
  downLab,
  exec,
  initOf,
  type Lab,
  logFiles,
  upLab,
  whyNoLab,
} from '../../src/lab/lab.ts'
import { home } from '../../src/lab/names.ts'
import { missing } from '../needs.ts'
import { eventually } from './cluster.ts'

const name = `migrate-${process.pid}`
const skip = whyNoLab() ?? missing('/usr/lib/ocf/resource.d/pacemaker/Dummy')
const folder = mkdtempSync(join(tmpdir(), 'picket-migrate-'))
const vendor = `picket${process.pid}`
const provider = `/usr/lib/ocf/resource.d/${vendor}`

const metadata = `<?xml version="1.0"?>
<resource-agent name="counter" version="1.0">
<version>1.1</version>
<longdesc lang="en">A counter in the memory of a process.</longdesc>
<shortdesc lang="en">A counter</shortdesc>
<parameters>
<parameter name="place" required="1"><content type="string" /></parameter>
</parameters>
<actions>
<action name="start" timeout="20s" />
<action name="stop" timeout="20s" />
<action name="monitor" timeout="20s" interval="10s" />
<action name="migrate_to" timeout="20s" />
<action name="migrate_from" timeout="20s" />
<action name="meta-data" timeout="5s" />
</actions>
</resource-agent>`

/**
 * It counts in the memory of a shell. On USR1 it puts its count where the other node finds it, and
 * ends; every beat is written down with its node, so that two that count at once are seen.
 */
const agent = `#!/bin/sh
place="$OCF_RESKEY_place"
pidfile="/run/counter.pid"
note() { echo "$(hostname) $1 $2" >>"$place/deeds"; }
alive() { [ -e "$pidfile" ] && kill -0 "$(cat "$pidfile")" 2>/dev/null; }
serve() {
  count=$1
  trap 'echo $count >"$place/memory.new"; mv "$place/memory.new" "$place/memory"; exit 0' USR1
  trap 'exit 0' TERM
  while :; do
    count=$((count + 1))
    echo "$(hostname) $count" >>"$place/beats"
    sleep 0.05
  done
}
begin() {
  serve "$1" </dev/null >/dev/null 2>&1 &
  echo $! >"$pidfile"
}
case $1 in
meta-data)
  cat <<'END'
${metadata}
END
  ;;
start)
  note start ''
  alive || begin 0
  ;;
stop)
  note stop ''
  if alive; then
    kill "$(cat "$pidfile")"
    while alive; do sleep 0.02; done
  fi
  rm -f "$pidfile"
  ;;
monitor) alive || exit 7 ;;
migrate_to)
  note migrate_to "$OCF_RESKEY_CRM_meta_migrate_source $OCF_RESKEY_CRM_meta_migrate_target"
  [ -e "$place/slow" ] && sleep 8
  rm -f "$place/memory"
  alive || exit 1
  kill -USR1 "$(cat "$pidfile")"
  while alive; do sleep 0.02; done
  [ -e "$place/memory" ]
  ;;
migrate_from)
  note migrate_from "$OCF_RESKEY_CRM_meta_migrate_source $OCF_RESKEY_CRM_meta_migrate_target"
  begin "$(cat "$place/memory")"
  ;;
*) exit 3 ;;
esac
`

const resources = [
  {
    ...{ id: 'counter', type: 'ocf', agent: `ocf:${vendor}:counter`, live: true },
    ...{ params: { place: folder }, monitor_every_seconds: 1 },
  },
  {
    ...{ id: 'foreign', type: 'ocf', agent: 'ocf:pacemaker:Dummy', live: true },
    ...{ params: { state: '/run/foreign.state' }, monitor_every_seconds: 1 },
  },
]

interface Beat {
  readonly node: string
  readonly count: number
}

function beats(): readonly Beat[] {
  const lines = readFileSync(join(folder, 'beats'), 'utf8').trim().split('\n')
  return lines.map((line) => {
    const [node = '', count = ''] = line.split(' ')
    return { node, count: Number(count) }
  })
}

const deeds = (): readonly string[] =>
  readFileSync(join(folder, 'deeds'), 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')

describe('live moves on a real cluster', { skip }, () => {
  let lab: Lab
  before(async () => {
    mkdirSync(provider, { recursive: true })
    writeFileSync(join(provider, 'counter'), agent, { mode: 0o755 })
    writeFileSync(join(folder, 'beats'), '')
    lab = await upLab({ name, nodes: 3, profile: 'lan', resources })
  })
  after(async () => {
    await downLab(name)
    rmSync(provider, { recursive: true, force: true })
    rmSync(folder, { recursive: true, force: true })
  })

  async function ask(node: string, question: object): Promise<unknown> {
    const socket = `/proc/${initOf(lab, node)?.pid}/root/run/picket/control.sock`
    return await askOnce(socket, question as never, 2_000)
  }
  async function seen(node: string, id: string): Promise<ResourceStatus | undefined> {
    const status = statusIn((await ask(node, { do: 'status' }).catch(() => ({}))) as never)
    return status?.resources.find((each) => each.id === id)
  }
  const runsOn = (id: string, where: string, asked: string) =>
    eventually(`${id} runs on ${where}`, async () => {
      const found = await seen(asked, id)
      return found?.state === 'running' && found.node === where ? found : undefined
    })
  const picket = (node: string, ...words: string[]) =>
    exec(lab, node, [`${home}/bin/picket`, ...words], { timeoutMs: 60_000 })
  const move = async (id: string, to: string, via: string) => {
    const { status, stderr } = await picket(via, 'move', id, to)
    assert.equal(status, 0, stderr)
  }

  test('H2 a counter goes on with the next number on another node, on order and on standby', async () => {
    const [one = '', two = ''] = lab.nodes
    const first = await eventually('it counts', async () => {
      const found = await seen(one, 'counter')
      return found?.state === 'running' && beats().length > 20 ? found.node : undefined
    })
    const target = first === one ? two : one
    await move('counter', target, one)
    await runsOn('counter', target, one)
    await picket(one, 'unmove', 'counter')
    await picket(one, 'standby', target)
    const last = await eventually('it has left the node on standby', async () => {
      const found = await seen(one, 'counter')
      return found?.state === 'running' && found.node !== target ? found.node : undefined
    })
    await picket(one, 'unstandby', target)
    const all = beats()
    const counts = all.map(({ count }) => count)
    assert.deepEqual(
      counts,
      counts.map((_, index) => index + 1),
      'no number is missing, and none stands twice',
    )
    const turns = all.filter(({ node }, i) => node !== all[i - 1]?.node).map(({ node }) => node)
    assert.deepEqual(turns, [first, target, last])
    assert.deepEqual(
      deeds().filter((deed) => !deed.endsWith('stop')),
      [
        `${first} start`,
        `${first} migrate_to ${first} ${target}`,
        `${target} migrate_from ${first} ${target}`,
        `${target} migrate_to ${target} ${last}`,
        `${last} migrate_from ${target} ${last}`,
      ],
    )
  })

  test("H2 Pacemaker's Dummy moves live: its state is on one node, then on the other", async () => {
    const [one = '', two = ''] = lab.nodes
    const here = await eventually('it runs', async () => {
      const found = await seen(one, 'foreign')
      return found?.state === 'running' ? found.node : undefined
    })
    const target = here === one ? two : one
    const state = (node: string) => exec(lab, node, ['test', '-e', '/run/foreign.state'])
    await move('foreign', target, one)
    await runsOn('foreign', target, one)
    assert.equal((await state(target)).status, 0)
    assert.notEqual((await state(here ?? '')).status, 0)
    assert.match(readFileSync(logFiles(lab, target).daemon, 'utf8'), /foreign has moved here live/)
    const told = await picket(target, 'explain', 'foreign')
    assert.match(told.stdout, /it moves live where its agent can/)
  })

  test('P3 the source dies in the middle: it starts anew, after its node is proven off', async () => {
    const [one = ''] = lab.nodes
    const { node: from = '' } = (await seen(one, 'counter')) ?? {}
    const others = lab.nodes.filter((node) => node !== from)
    const [to = '', witness = ''] = others
    writeFileSync(join(folder, 'slow'), '')
    const count = deeds().length
    await move('counter', to, witness)
    await eventually('it is being sent', async () => {
      const found = await seen(witness, 'counter')
      return found?.state === 'moving' && deeds().length > count ? found : undefined
    })
    await crash(lab, from)
    rmSync(join(folder, 'slow'))
    await runsOn('counter', to, witness)
    const later = deeds().slice(count)
    assert.ok(later.includes(`${to} start`), 'it is started, and nothing half counts')
    assert.ok(!later.some((deed) => deed.startsWith(`${to} migrate_from`)))
    const all = beats()
    const began = all.findLastIndex((beat) => beat.count === 1)
    assert.ok(
      all.slice(began).every(({ node }) => node === to),
      'nobody else counts beside it',
    )
  })
})
