/**
 * `npm run bench:failover`: how long a client goes without its service when the node that serves it
 * loses its power or its network, with the coordinator on it and elsewhere; beside Pacemaker and
 * keepalived on the same kind of lab, in turns. Medians, p95 and targets are printed, nothing is
 * asserted. Run it alone on the machine. Profile `shared`: Corosync takes its turn, as three in
 * real time on two processors leave nothing to anybody else.
 */
import { parseArgs } from 'node:util'
import { type Profile, whyNoLab } from '../lab/lab.ts'
import { profiles } from '../lab/names.ts'
import { type Contender, type Fault, faults, type Loss, lose } from './contender.ts'
import { openKeepalived, whyNoKeepalived } from './keepalived.ts'
import { lossTable } from './loss-table.ts'
import { openPicket } from './ours.ts'
import { openPacemaker, whyNoPacemaker } from './pacemaker.ts'
import { buildRelease } from './release.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10' },
    profile: { type: 'string', multiple: true, default: ['lan', 'default'] },
    fault: { type: 'string', default: faults.join(',') },
    beside: { type: 'string', default: 'pacemaker,keepalived' },
    checkout: { type: 'boolean', default: false },
  },
})

const peers = {
  pacemaker: { why: whyNoPacemaker, open: openPacemaker },
  keepalived: { why: whyNoKeepalived, open: openKeepalived },
} as const

const wanted = values.beside.split(',').filter((name) => name !== '')
const strange = [
  ...wanted.filter((name) => !Object.hasOwn(peers, name)),
  ...values.fault.split(',').filter((name) => !faults.some((fault) => fault === name)),
  ...values.profile.filter((name) => ![...profiles, 'shared'].includes(name as Profile)),
]
const runs = Number(values.runs)
const why = whyNoLab()
if (strange.length > 0 || !Number.isInteger(runs) || runs < 1) {
  console.error(`Not known: ${strange.join(', ') || `--runs ${values.runs}`}.`)
  process.exitCode = 2
} else if (why === undefined) await bench()
else {
  console.error(`The benchmark needs real parts: ${why}`)
  process.exitCode = 1
}

/** With the daemon of a release, which is what people run, unless it is to be the checkout's. */
async function bench(): Promise<void> {
  const release = values.checkout ? undefined : await buildRelease()
  try {
    console.log(`The daemon is that of ${release === undefined ? 'the checkout' : 'a release'}.`)
    const words = ['--config', '/etc/picket/config.yaml']
    const daemon = release && [release.program('picketd'), ...words]
    for (const profile of values.profile as Profile[]) await benchOne(profile, daemon)
  } finally {
    release?.remove()
  }
}

async function benchOne(profile: Profile, daemon: readonly string[] | undefined): Promise<void> {
  const contenders: Contender[] = []
  try {
    contenders.push(await openPicket(profile, daemon))
    for (const name of wanted as (keyof typeof peers)[]) {
      const missing = peers[name].why()
      if (missing === undefined) contenders.push(await peers[name].open(profile))
      else console.log(`Without ${name}: ${missing}`)
    }
    for (const fault of values.fault.split(',') as Fault[]) {
      for (const led of [true, false]) {
        const who = led ? 'with the coordinator' : 'not the coordinator'
        const found = await measure(contenders, fault, led)
        for (const line of lossTable(`${profile}, ${fault}, ${who}`, found)) console.log(line)
      }
    }
  } finally {
    for (const contender of contenders) await contender.close()
  }
}

/** All contenders in turns, so that what the machine does meanwhile meets all of them. */
async function measure(
  contenders: readonly Contender[],
  fault: Fault,
  led: boolean,
): Promise<ReadonlyMap<string, readonly Loss[]>> {
  const found = new Map<string, Loss[]>(contenders.map(({ name }) => [name, []]))
  for (let run = 1; run <= runs; run++) {
    const turn = run % 2 === 1 ? contenders : contenders.toReversed()
    for (const contender of turn) {
      try {
        if (!(await contender.arrange(led))) continue
        const loss = await lose(contender, fault)
        found.get(contender.name)?.push(loss)
        process.stderr.write(`  ${run}/${runs} ${contender.name}: ${loss.totalMs.toFixed(0)} ms\n`)
      } catch (error) {
        // One run that went wrong is told of, and does not cost the others.
        process.stderr.write(`  ${run}/${runs} ${contender.name}: ${(error as Error).message}\n`)
      }
      await contender.restore()
    }
  }
  return found
}
