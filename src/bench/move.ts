/**
 * `npm run bench:move`: how long a client is interrupted when an operator moves the address from
 * one live node to another, asked two hundred times a second; beside Pacemaker in turns. The
 * address is alone: what a service takes to stop and to start is its own. Median and p95 are
 * printed beside the target, and where the time goes.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type Answer, interruption, ownersOf, startClient } from '../demo/witness.ts'
import { nowMs, type Profile, until, VIP, whyNoLab } from '../lab/lab.ts'
import type { Mover } from './contender.ts'
import { type MoveParts, partsOf } from './move-parts.ts'
import { openMover } from './ours.ts'
import { openPacemaker, whyNoPacemaker } from './pacemaker.ts'
import { buildRelease } from './release.ts'
import { median, p95 } from './spread.ts'

const TARGET_MS = 100
/** Two hundred times a second. */
const EVERY_MS = 5

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '20' },
    profile: { type: 'string', default: 'shared' },
    beside: { type: 'string', default: 'pacemaker' },
    checkout: { type: 'boolean', default: false },
  },
})

interface Move {
  readonly interruptedMs: number
  readonly parts: MoveParts | undefined
}

const why = whyNoLab()
if (why === undefined) await bench()
else {
  console.error(`The benchmark needs real parts: ${why}`)
  process.exitCode = 1
}

async function bench(): Promise<void> {
  const profile = values.profile as Profile
  const release = values.checkout ? undefined : await buildRelease()
  const words = ['--config', '/etc/picket/config.yaml']
  const contenders: Mover[] = []
  try {
    const daemon = release && [release.program('picketd'), ...words]
    contenders.push(await openMover(profile, daemon))
    const missing = values.beside === 'pacemaker' ? whyNoPacemaker() : undefined
    if (missing !== undefined) console.log(`Without Pacemaker: ${missing}`)
    else if (values.beside === 'pacemaker') {
      contenders.push(await openPacemaker(profile, true))
    }
    const found = new Map<string, Move[]>(contenders.map(({ name }) => [name, []]))
    for (let run = 1; run <= Number(values.runs); run++) {
      for (const contender of run % 2 === 1 ? contenders : contenders.toReversed()) {
        const move = await moveOnce(contender)
        found.get(contender.name)?.push(move)
        const shown = move.interruptedMs.toFixed(0)
        process.stderr.write(`  ${run}/${values.runs} ${contender.name}: ${shown} ms\n`)
      }
    }
    print(found)
  } finally {
    for (const contender of contenders) await contender.close()
    release?.remove()
  }
}

/** To the node after the one that has it, and what the client missed meanwhile. */
async function moveOnce({ lab, ...contender }: Mover): Promise<Move> {
  const answers: Answer[] = []
  const client = startClient(lab, answers, `tcp://${VIP}:9`, EVERY_MS)
  try {
    if (!(await until(() => answers.length > 100, 10_000))) throw new Error('nobody answers')
    const [from = lab.nodes[0]!] = ownersOf(lab)
    const to = lab.nodes[(lab.nodes.indexOf(from) + 1) % lab.nodes.length]!
    const beganMs = nowMs()
    await contender.move(to)
    if (!(await until(() => ownersOf(lab)[0] === to, 30_000))) throw new Error(`${to} has it not`)
    await sleep(1_000)
    const missed = interruption(answers, beganMs)
    if (missed === undefined) throw new Error('no client was answered')
    return { interruptedMs: missed.forMs, parts: partsOf(lab, { from, to, missed, beganMs }) }
  } finally {
    await client.stop()
  }
}

function print(found: ReadonlyMap<string, readonly Move[]>): void {
  console.log(`\nplanned move of the address, ${values.profile}; ms`)
  for (const [name, moves] of found) {
    const all = moves.map(({ interruptedMs }) => interruptedMs)
    const [middle, high] = [median(all), p95(all)].map((ms) => ms.toFixed(0).padStart(6))
    console.log(`  ${name.padEnd(44)} median${middle}   p95${high}   (n=${all.length})`)
  }
  const ours = found.get('Picket') ?? []
  const reached = median(ours.map(({ interruptedMs }) => interruptedMs))
  console.log(`  target ${TARGET_MS} ms: ${reached <= TARGET_MS ? 'met' : 'missed'}; of which`)
  const parts = ours.flatMap((move) => move.parts ?? [])
  for (const what of Object.keys(parts[0] ?? {}) as (keyof MoveParts)[]) {
    const all = parts.map((each) => each[what])
    const [middle, least] = [median(all), Math.min(...all)].map((ms) => ms.toFixed(0).padStart(6))
    console.log(`    ${what.padEnd(42)} median${middle}   least${least}`)
  }
}
