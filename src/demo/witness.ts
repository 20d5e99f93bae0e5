/**
 * The outside checker: believes nothing that Picket says. It looks at what the service wrote, at
 * the lock that all nodes share, at who holds the address in every powered node, and at what a
 * client was answered. Two owners at once, seen in any of these ways, are an overlap.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { initOf, type Lab, nowMs, type Spawned, sharedDir, spawnInSwitch, VIP } from '../lab/lab.ts'
import { demoProgram } from './names.ts'

/** One answer that the client got. */
export interface Answer {
  readonly askedMs: number
  readonly answeredMs: number
  readonly node: string
}

export interface Witness {
  readonly answers: readonly Answer[]
  /** Everything seen so far that must never happen, in sentences. */
  overlaps(): string[]
  stop(): Promise<void>
}

const SAMPLE_MS = 50

/** Begins to look, with a client that asks every `everyMs`. Takes until the first sample. */
export function openWitness(lab: Lab, everyMs = 20): Witness {
  writeFileSync(path.join(sharedDir(lab), 'writes'), '')
  const answers: Answer[] = []
  const seen = new Set<string>()
  const client = startClient(lab, answers, undefined, everyMs)
  const sampler = setInterval(() => {
    const owners = ownersOf(lab)
    if (owners.length < 2) return
    // We look at one node after the other: what has moved meanwhile was never in two places.
    const still = ownersOf(lab).filter((node) => owners.slice(0, -1).includes(node))
    if (still.length > 0) seen.add(`${owners.join(' and ')} hold the address at once`)
  }, SAMPLE_MS)
  return {
    answers,
    overlaps: () => [...seen, ...overlapsIn(readWrites(lab))],
    async stop() {
      clearInterval(sampler)
      await client.stop()
    },
  }
}

/** The powered nodes that have the address, whatever state their daemons are in. */
export function ownersOf(lab: Lab): string[] {
  return lab.nodes.filter((node) => {
    const init = initOf(lab, node)
    if (init === undefined) return false
    try {
      const table = readFileSync(`/proc/${init.pid}/net/fib_trie`, 'utf8')
      return new RegExp(`\\b${VIP.replaceAll('.', '\\.')}\\n\\s+/32 host LOCAL`).test(table)
    } catch {
      return false
    }
  })
}

/** One life of the service, as it shows in what it wrote. */
interface Life {
  readonly name: string
  readonly firstMs: number
  lastMs: number
  metAnother: boolean
}

/** Lives that ran at the same time, or that found the lock taken. */
export function overlapsIn(writes: string): string[] {
  const all: Life[] = []
  const lives = new Map<string, Life>()
  for (const line of writes.split('\n')) {
    const [stamp, node, pid, what] = line.split(' ')
    const atMs = Number(stamp)
    if (node === undefined || pid === undefined || !Number.isFinite(atMs)) continue
    const name = `${node} (process ${pid})`
    const known = lives.get(name)
    // A node that has booted counts its processes from the beginning again.
    const fresh = known === undefined || what?.startsWith('begin')
    const life = fresh ? { name, firstMs: atMs, lastMs: atMs, metAnother: false } : known
    if (fresh) all.push(life)
    life.lastMs = Math.max(life.lastMs, atMs)
    if (what === 'begin-while-locked') life.metAnother = true
    lives.set(name, life)
  }
  all.sort((a, b) => a.firstMs - b.firstMs)
  const found = all
    .filter((life) => life.metAnother)
    .map((life) => `${life.name} began while another writer held the lock`)
  for (const [i, one] of all.entries()) {
    for (const other of all.slice(i + 1)) {
      if (other.firstMs > one.lastMs) continue
      found.push(`${one.name} and ${other.name} wrote at the same time`)
    }
  }
  return found
}

function readWrites(lab: Lab): string {
  return readFileSync(path.join(sharedDir(lab), 'writes'), 'utf8')
}

/** Starts a client in the network of the switch; its answers are added to the list as they come. */
export function startClient(
  lab: Lab,
  answers: Answer[],
  url = `http://${VIP}:8080/`,
  everyMs = 20,
): Spawned {
  const argv = [process.execPath, demoProgram('client'), url, String(everyMs)]
  const client = spawnInSwitch(lab, argv, {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const lines = createInterface({ input: client.child.stdout! })
  lines.on('line', (line) => {
    const [asked, answered, node = ''] = line.split(' ')
    answers.push({ askedMs: Number(asked), answeredMs: Number(answered), node })
  })
  return client
}

/** The longest time without an answer after `fromMs`, and which node answered next. */
export function interruption(
  answers: readonly Answer[],
  fromMs: number,
): { readonly forMs: number; readonly untilMs: number; readonly node: string } | undefined {
  const sorted = answers.toSorted((a, b) => a.answeredMs - b.answeredMs)
  let longest: { forMs: number; untilMs: number; node: string } | undefined
  for (let i = 1; i < sorted.length; i++) {
    const before = sorted[i - 1]!
    const after = sorted[i]!
    if (after.answeredMs < fromMs) continue
    const forMs = after.answeredMs - Math.max(before.answeredMs, 0)
    if (longest === undefined || forMs > longest.forMs) {
      longest = { forMs, untilMs: after.answeredMs, node: after.node }
    }
  }
  return longest
}

/** Has the client been answered within the last moment? */
export function answering(answers: readonly Answer[], withinMs = 300): string | undefined {
  const last = answers.at(-1)
  return last !== undefined && nowMs() - last.answeredMs < withinMs ? last.node : undefined
}
