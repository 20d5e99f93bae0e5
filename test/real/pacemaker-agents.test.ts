/**
 * A whole Pacemaker of three nodes, fenced by Picket's agents as `picket export pacemaker` set it
 * up: what ran on a node that is cut off runs elsewhere once its BMC has proven it off, and not as
 * long as a BMC lies about it.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openPacemaker, whyNoPacemaker } from '../../src/bench/pacemaker.ts'
import { commands } from '../../src/cli/main.ts'
import { ownersOf } from '../../src/demo/witness.ts'
import { bmc, cut, exec, initOf, type Lab, readBmcLog, until, whyNoLab } from '../../src/lab/lab.ts'
import { program } from '../cli/picket.ts'
import { missing, notRoot } from '../needs.ts'

const noAgents = !Object.hasOwn(commands, 'agents') && 'this Picket brings no fence agents'

/** An overlay, so that the machine's own /usr/sbin stays as it is. */
const place = `set -e
mkdir -p /run/over
mount -t tmpfs tmpfs /run/over
mkdir /run/over/up /run/over/work
mount -t overlay overlay -o lowerdir=/usr/sbin,upperdir=/run/over/up,workdir=/run/over/work /usr/sbin
ln -s "$0" /usr/sbin/picket
"$0" agents install >/run/over/said`

/** In the form with a resource for each device; the password comes by `picket password`. */
const configure = `set -e
"$0" export pacemaker --by device --out /run/over/picket.sh
bash /run/over/picket.sh
for node in "$@"; do pcs stonith delete "fence-$node" --force; done`

async function must(lab: Lab, node: string, script: string, ...args: readonly string[]) {
  const argv = ['bash', '-c', script, program, ...args]
  const { status, stdout, stderr } = await exec(lab, node, argv, { timeoutMs: 300_000 })
  assert.equal(status, 0, `${node}: ${stdout}${stderr}`)
}

test('C6 a cut node is shot by fence_picket_ipmi, and a BMC that lies moves nothing', {
  skip: whyNoLab() || whyNoPacemaker() || notRoot || noAgents || missing('pcs', 'unshare'),
  timeout: 600_000,
}, async (t) => {
  const cluster = await openPacemaker('lan', true, 'picket-pk')
  t.after(() => cluster.close())
  const { lab } = cluster
  for (const node of lab.nodes) await must(lab, node, place)
  const [first = ''] = lab.nodes
  for (const node of lab.nodes) {
    await must(lab, node, "sed -i '/late_seconds/d' /etc/picket/config.yaml")
  }
  await must(lab, first, configure, ...lab.nodes)

  const victim = ownersOf(lab)[0] ?? ''
  assert.ok(lab.nodes.includes(victim))
  for (const level of [1, 2] as const) await bmc(lab, victim, level, { mode: 'lie' })
  await cut(lab, victim)
  const pressed = async () =>
    (await readBmcLog(lab, victim, 1)).some(({ command }) => command === 'off')
  assert.ok(await until(pressed, 120_000, 200), 'nobody has pressed')
  // The BMC says off, and the management address of the node answers: nothing may start elsewhere.
  await sleep(20_000)
  const elsewhere = () => ownersOf(lab).filter((node) => node !== victim)
  assert.deepEqual(elsewhere(), [])
  for (const level of [1, 2] as const) await bmc(lab, victim, level, { mode: 'ok' })
  assert.ok(await until(() => elsewhere().length > 0, 180_000, 200), 'nothing has moved')
  assert.equal(initOf(lab, victim), undefined, 'its power lives')
})
