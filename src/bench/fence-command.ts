/**
 * `picket fence status` from its start to its answer, out of a release and out of a checkout, and
 * where that time goes. In a checkout the compile cache of Node.js is warm, as it is after a first
 * call; without it is measured too. A release needs none.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from '../lab/run.ts'
import type { Finding, Phase } from './fence-finding.ts'
import { agentOf, timed } from './fence-off.ts'
import type { Machine } from './machine.ts'
import { buildRelease } from './release.ts'
import { spreadOf } from './spread.ts'

const bin = (name: string) => fileURLToPath(new URL(`../../bin/${name}`, import.meta.url))

export async function measureCommand(
  machine: Machine,
  runs: number,
  progress: (text: string) => void,
): Promise<{ readonly findings: readonly Finding[]; readonly phases: readonly Phase[] }> {
  progress('building a release')
  const release = await buildRelease()
  const home = mkdtempSync(join(tmpdir(), 'picket-bench-'))
  try {
    const config = writeConfig(home, machine)
    const env = { HOME: home }
    const picket = release.program('picket')
    const words = ['fence', 'status', 'machine', '--config', config]
    const status = [picket, ...words]
    const checkout = [bin('picket'), ...words]
    const peers: Readonly<Record<Peer, () => Promise<number>>> = {
      ours: () => timed(status, 0, env),
      theirs: () => timed(agentOf(machine, 'status'), 0),
      node: () => timed([bin('node'), '-e', '0'], 0, env),
      version: () => timed([picket, '--version'], 0, env),
      config: () => timed([picket, 'config', 'check', config], 0, env),
      device: () => deviceMs(status, env),
      checkout: () => timed(checkout, 0, env),
      cold: () => timed(checkout, 0, { ...env, NODE_DISABLE_COMPILE_CACHE: '1' }),
    }
    const took = await inTurns(peers, runs)
    progress(`status ${runs}/${runs}`)
    const of = (peer: Peer) => spreadOf(took[peer])
    const finding: Finding = {
      what: '`picket fence status` of a release, start to answer',
      ours: of('ours'),
      peer: { name: 'fence_ipmilan -o status', took: of('theirs') },
      target: { kind: 'ratio', atMost: 0.6 },
    }
    const phases = phaseNames.map(([peer, what]) => ({ what, took: of(peer) }))
    return { findings: [finding], phases }
  } finally {
    release.remove()
    rmSync(home, { recursive: true, force: true })
  }
}

type Part = 'node' | 'version' | 'config' | 'device' | 'checkout' | 'cold'
type Peer = 'ours' | 'theirs' | Part

/** Of a release each row holds those above it; the device's own time is within the whole. */
const phaseNames = [
  ['node', 'the start of Node.js alone'],
  ['version', '`picket --version`: and our own first modules'],
  ['config', '`picket config check`: and zod, YAML, the driver'],
  ['device', 'the conversation with the BMC'],
  ['checkout', 'the whole out of a checkout'],
  ['cold', 'the same without a compile cache'],
] as const satisfies readonly (readonly [Part, string])[]

/** The peers one after the other, in every run beginning with another one. */
async function inTurns(
  peers: Readonly<Record<Peer, () => Promise<number>>>,
  runs: number,
): Promise<Readonly<Record<Peer, readonly number[]>>> {
  const names = Object.keys(peers) as Peer[]
  const took = Object.fromEntries(names.map((name) => [name, [] as number[]]))
  // The first call of each fills the caches, of the disk and of Node.js.
  for (const name of names) await peers[name]()
  for (let index = 0; index < runs; index++) {
    for (let at = 0; at < names.length; at++) {
      const name = names[(index + at) % names.length] as Peer
      took[name]?.push(await peers[name]())
    }
  }
  return took as Record<Peer, number[]>
}

/** What the command itself says that the device took. */
async function deviceMs(
  status: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<number> {
  const { stdout } = await run([...status, '--json'], { env })
  const { devices } = JSON.parse(stdout) as { devices: readonly { tookMs: number }[] }
  return devices[0]?.tookMs ?? Number.NaN
}

function writeConfig(dir: string, { port, user, password }: Machine): string {
  const config = join(dir, 'config.yaml')
  const secrets = join(dir, 'secrets.yaml')
  const fence = { driver: 'ipmi', host: '127.0.0.1', port, cipher: 3 }
  const cluster = { name: 'bench', nodes: [{ name: 'machine', fence }] }
  const text = JSON.stringify({ cluster, fence: { credentials_file: secrets } })
  writeFileSync(config, text, { mode: 0o600 })
  writeFileSync(secrets, JSON.stringify({ ipmi: { user, password } }), { mode: 0o600 })
  return config
}
