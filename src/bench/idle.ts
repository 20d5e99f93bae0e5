/**
 * `npm run bench:idle`: what daemons cost that have nothing to do: so many of them in one lab,
 * their share of a core over a minute, their memory, and how many messages they send each other.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Event } from '../core/event.ts'
import type { Status } from '../core/status.ts'
import {
  daemonOf,
  downLab,
  exec,
  type Lab,
  nowMs,
  type Profile,
  processesIn,
  quorumOf,
  until,
  upLab,
  whyNoLab,
} from '../lab/lab.ts'
import { home, nodeDir } from '../lab/names.ts'
import { buildRelease } from './release.ts'
import { median, p95 } from './spread.ts'

const TARGET_PERCENT = 1
/** Those that have just started tidy up their memory, which is not counted. */
const SETTLE_MS = 25_000
const name = 'bench-i'

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '32' },
    seconds: { type: 'string', default: '60' },
    profile: { type: 'string', default: 'wide' },
    checkout: { type: 'boolean', default: false },
  },
})

const why = whyNoLab()
if (why === undefined) await bench()
else {
  console.error(`The benchmark needs real parts: ${why}`)
  process.exitCode = 1
}

async function bench(): Promise<void> {
  const release = values.checkout ? undefined : await buildRelease()
  try {
    const words = ['--config', '/etc/picket/config.yaml']
    const daemon = release && [release.program('picketd'), ...words]
    await downLab(name)
    const nodes = Number(values.nodes)
    console.log(`Raising ${nodes} nodes.`)
    // However many come together in the end: what a machine carries is one of the figures.
    const profile = values.profile as Profile
    const lab = await upLab({ name, nodes, profile, daemon, quorumMs: 0 })
    await measure(lab)
  } finally {
    await downLab(name)
    release?.remove()
  }
}

async function measure(lab: Lab): Promise<void> {
  const wanted = lab.nodes.length
  let carried = 0
  const isWhole = async () => {
    carried = (await quorumOf(lab, lab.nodes[0]!))?.members.length ?? 0
    return carried === wanted
  }
  await until(isWhole, 180_000, 2_000)
  const ready = await until(() => isReady(lab), 120_000, 2_000)
  await sleep(SETTLE_MS)
  const seconds = Number(values.seconds)
  const daemons = pidsOf(lab, (node) => daemonOf(lab, node)?.pid)
  const corosyncs = pidsOf(lab, (node) => {
    return processesIn(lab, node).find((process) => process.name === 'corosync')?.pid
  })
  const before = { own: daemons.map(cpuMs), theirs: corosyncs.map(cpuMs), atMs: nowMs() }
  await sleep(seconds * 1_000)
  const share = (pids: readonly number[], then: readonly number[]) =>
    pids.map((pid, at) => (cpuMs(pid) - then[at]!) / (seconds * 10))
  const own = share(daemons, before.own)
  const theirs = share(corosyncs, before.theirs)
  const sent = messagesSince(lab, before.atMs) / seconds
  await isWhole()
  const sizes = daemons.map(residentMb)
  console.log(`nodes            ${wanted}; Corosync holds ${carried} of them in one ring`)
  console.log(`daemons          ${daemons.length}, ${ready ? 'in an open session' : 'NOT ready'}`)
  const met = median(own) <= TARGET_PERCENT ? 'met' : 'missed'
  const target = `target ${TARGET_PERCENT} %: ${met}`
  console.log(`CPU of a daemon  ${percent(own)} of a core over ${seconds} s; ${target}`)
  console.log(`CPU of Corosync  ${percent(theirs)} of a core each`)
  console.log(`memory           ${median(sizes).toFixed(0)} MB resident each (median)`)
  console.log(`messages         ${sent.toFixed(1)} a second, delivered to every member`)
}

function percent(shares: readonly number[]): string {
  return `${median(shares).toFixed(2)} % (median), ${p95(shares).toFixed(2)} % (p95)`
}

/** Can the first node decide anything? */
async function isReady(lab: Lab): Promise<boolean> {
  const argv = [`${home}/bin/picket`, 'status', '--json']
  try {
    const { stdout } = await exec(lab, lab.nodes[0]!, argv)
    return (JSON.parse(stdout) as Status).ready
  } catch {
    // Not there yet, or too busy to say so.
    return false
  }
}

/** What was delivered to the first node since then, from its journal. */
function messagesSince(lab: Lab, sinceMs: number): number {
  const file = path.join(nodeDir(lab, lab.nodes[0]!), 'lib-picket/journal.jsonl')
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.filter((line) => {
    if (!line.startsWith('{"event":') || !line.includes('"kind":"message"')) return false
    const { event } = JSON.parse(line) as { event: Event }
    return event.kind === 'message' && event.atMs >= sinceMs
  }).length
}

function pidsOf(lab: Lab, of: (node: string) => number | undefined): number[] {
  return lab.nodes.map(of).filter((pid) => pid !== undefined)
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
