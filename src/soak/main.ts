/**
 * `npm run soak`: random faults on a lab for as long as you like. The plan follows from the seed;
 * what the world makes of it does not. Ends with 1 where anything ran twice or the cluster did not
 * become healthy again, and keeps what daemons, Corosync and BMCs have written.
 */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { downLab, whyNoLab } from '../lab/lab.ts'
import { faultText, planRound } from './plan.ts'
import { reportLines } from './report.ts'
import { soak } from './run.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: `${Date.now() % 100_000}` },
    minutes: { type: 'string', default: '10' },
    nodes: { type: 'string', default: '3' },
    from: { type: 'string', default: '1' },
    keep: { type: 'string', default: tmpdir() },
    plan: { type: 'boolean', default: false },
  },
})

const name = 'soak'
const [seed, from] = [whole('seed', 0), whole('from', 1)]
const nodes = whole('nodes', 3, 16)
const minutes = Number(values.minutes)
if (!(minutes > 0 && minutes <= 10_000)) stop('--minutes takes a number from 0 to 10000')

if (values.plan) {
  for (let round = from; round < from + 20; round++) {
    console.log(`round ${round}: ${planRound(seed, round, nodes).map(faultText).join(' + ')}`)
  }
} else {
  const why = whyNoLab()
  if (why === undefined) await run()
  else stop(`The soak needs real parts: ${why}`)
}

async function run(): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void downLab(name).finally(() => process.exit(130)))
  }
  const again = `npm run soak -- --seed ${seed} --nodes ${nodes}`
  const keepIn = join(values.keep, `picket-soak-${seed}-${process.pid}`)
  console.log(`${again} --minutes ${minutes} --from ${from}`)
  console.log('The clock is the one thing that no node has for itself: it does not jump here.')
  const say = (line: string) => console.log(line)
  const report = await soak({ seed, minutes, nodes, from, name, keepIn, say })
  console.log(['', ...reportLines(report)].join('\n'))
  if (report.passed) return
  const last = report.rounds.at(-1)?.round ?? from
  console.log(`FAILED. What was written is in ${keepIn}.`)
  console.log(`All of it again: ${again} --minutes ${minutes} --from ${from}`)
  console.log(`The last round alone: ${again} --minutes 1 --from ${last}`)
  process.exitCode = 1
}

function whole(option: 'seed' | 'nodes' | 'from', least: number, most = 2 ** 31): number {
  const number = Number(values[option])
  if (Number.isInteger(number) && number >= least && number <= most) return number
  return stop(`--${option} takes a whole number from ${least} to ${most}`)
}

function stop(because: string): never {
  console.error(because)
  process.exit(2)
}
