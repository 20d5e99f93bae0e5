/**
 * `npm run bench:failover`: how long a failover takes, and where the time goes. A node that holds
 * the address is cut off, again and again, with the coordinator on it and elsewhere; medians are
 * printed, nothing is asserted. Run it alone on the machine.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import {
  activeNode,
  healthy,
  raise,
  restore,
  type Stage,
  statusFrom,
  strike,
} from '../demo/stage.ts'
import { type Outcome, stories } from '../demo/stories.ts'
import { type Answer, startClient } from '../demo/witness.ts'
import { daemonOf, downLab, type Profile, VIP, whyNoLab } from '../lab/lab.ts'
import { buildRelease } from './release.ts'
import { median, spreadOf } from './spread.ts'

interface Run {
  readonly detectedMs: number
  readonly toCommandMs: number
  readonly deviceMs: number
  readonly toAddressMs: number
  readonly toAnswerMs: number
  readonly interruptionMs: number
}

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10' },
    profile: { type: 'string', multiple: true, default: ['lan', 'default'] },
    story: { type: 'string', default: 'cut' },
    checkout: { type: 'boolean', default: false },
  },
})

const why = whyNoLab()
if (why === undefined) await bench()
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
  const runs = Number(values.runs)
  await downLab('bench')
  const stage = await raise({ name: 'bench', profile, daemon })
  try {
    for (const led of [true, false]) {
      const found = await measure(stage, runs, led)
      const who = led ? 'the coordinator died' : 'another node died'
      print(`${profile}, ${values.story}, ${who}`, found)
    }
    await idle(stage, profile)
  } finally {
    await strike(stage)
  }
}

async function measure(stage: Stage, runs: number, led: boolean): Promise<Run[]> {
  const story = stories.find(({ name }) => name === values.story)
  if (story === undefined) throw new Error(`there is no story ${values.story}`)
  const found: Run[] = []
  const knocks: Answer[] = []
  const knocker = startClient(stage.lab, knocks, `tcp://${VIP}:9`, 10)
  for (let i = 0; i < runs; i++) {
    await arrange(stage, led)
    const outcome = await story.play(stage, () => undefined)
    for (const line of outcome.broken) console.error(`BROKEN: ${line}`)
    const run = runOf(outcome, knocks)
    knocks.length = 0
    if (run !== undefined) found.push(run)
    process.stderr.write(`  ${i + 1}/${runs}: ${run?.interruptionMs.toFixed(0) ?? '?'} ms\n`)
    await restore(stage)
  }
  await knocker.stop()
  return found
}

/**
 * Brings the coordinator to the active node, or away from it: a daemon that restarts leads no more.
 */
async function arrange(stage: Stage, led: boolean): Promise<void> {
  for (let tries = 0; tries < 6; tries++) {
    const active = activeNode(stage)
    const leader = (await statusFrom(stage, active))?.coordinator
    if (leader === undefined || (leader === active) === led) return
    const daemon = daemonOf(stage.lab, leader)
    if (daemon !== undefined) process.kill(daemon.pid, 'SIGKILL')
    await new Promise((done) => setTimeout(done, 1_500))
    await healthy(stage)
  }
}

function runOf(outcome: Outcome, knocks: readonly Answer[]): Run | undefined {
  const { beganMs, timeline, interruption } = outcome
  const { detectedMs, sentMs, confirmedMs } = timeline
  if (detectedMs === undefined || sentMs === undefined || confirmedMs === undefined)
    return undefined
  const address = knocks.find((answer) => answer.answeredMs > confirmedMs)
  if (interruption === undefined || address === undefined) return undefined
  return {
    detectedMs: detectedMs - beganMs,
    toCommandMs: sentMs - detectedMs,
    deviceMs: confirmedMs - sentMs,
    toAddressMs: address.answeredMs - confirmedMs,
    toAnswerMs: interruption.untilMs - confirmedMs,
    interruptionMs: interruption.forMs,
  }
}

function print(title: string, runs: readonly Run[]): void {
  console.log(`\n${title} (n=${runs.length})`)
  const row = (what: string, pick: (run: Run) => number) => {
    const { median: middle, low, high } = spreadOf(runs.map(pick))
    const shown = middle.toFixed(0).padStart(6)
    console.log(`  ${what.padEnd(46)} ${shown} ms   ${low.toFixed(0)} to ${high.toFixed(0)}`)
  }
  row('fault to membership callback', (run) => run.detectedMs)
  row('membership callback to fence command', (run) => run.toCommandMs)
  row('fence command to off confirmed', (run) => run.deviceMs)
  row('off confirmed to the address answering', (run) => run.toAddressMs)
  row('off confirmed to the service answering', (run) => run.toAnswerMs)
  row('client interruption', (run) => run.interruptionMs)
  row('  beyond detection and device', (run) => run.interruptionMs - run.detectedMs - run.deviceMs)
}

/**
 * What a daemon costs that has been through all that and has nothing to do, over ten seconds. Those
 * that have just started tidy up their memory twice within twenty seconds, which is not counted.
 */
async function idle(stage: Stage, profile: string): Promise<void> {
  await new Promise((done) => setTimeout(done, 25_000))
  const pids = stage.lab.nodes.flatMap((node) => daemonOf(stage.lab, node)?.pid ?? [])
  const before = pids.map(cpuMs)
  await new Promise((done) => setTimeout(done, 10_000))
  const shares = pids.map((pid, i) => (cpuMs(pid) - before[i]!) / 100)
  const sizes = pids.map(residentMb)
  console.log(
    `\n${profile}, idle daemon: ${median(shares).toFixed(2)} % of a core, ` +
      `${median(sizes).toFixed(0)} MB resident (medians of ${pids.length})`,
  )
}

function cpuMs(pid: number): number {
  const [, rest = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')
  const fields = rest.split(' ')
  // utime and stime, in ticks of 10 ms.
  return (Number(fields[11]) + Number(fields[12])) * 10
}

function residentMb(pid: number): number {
  const found = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(found?.[1] ?? 0) / 1024
}
