/**
 * `npm run mutants`: every mutant lives through the same seeds, and each must be noticed. A mutant
 * that survives is a promise that nobody tests; one that hardly shows must name a swarm of its own,
 * or a scenario where not even that is likely to come by.
 *
 * With `--quick` a mutant that its scenario shows, or its own swarm, lives no plain lives: minutes
 * instead of hours, and no word of how plainly it shows otherwise.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { biases } from './biased.ts'
import { type Mutant, mutated } from './mutant.ts'
import { mutants } from './mutants/index.ts'
import { live, type Outcome, playMutant } from './pool.ts'

/** Enough to know that it is caught. */
const FAILURES_MAX = 50
/** Fewer than this in the plain swarm, and a swarm of its own has to show it. */
const FAILURES_MIN = 3

interface Found {
  readonly lives: number
  readonly failures: readonly Outcome[]
}

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '3000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    workers: { type: 'string' },
  },
})

// A reader that has seen enough is no error worth a stack trace.
process.stdout.on('error', () => process.exit(1))
process.exitCode = await main()

async function main(): Promise<number> {
  const chosen = mutants.filter(({ name }) => values.only === undefined || name === values.only)
  if (chosen.length === 0) {
    console.error(`There is no mutant "${values.only}"; known: ${mutants.map((m) => m.name)}.`)
    return 2
  }
  // All must fit before the first one lives.
  for (const mutant of chosen) {
    mutated(mutant)
    if (mutant.swarm !== undefined && biases[mutant.swarm] === undefined) {
      throw new Error(`mutant ${mutant.name}: there is no swarm "${mutant.swarm}"`)
    }
    if (mutant.scenario !== undefined) sceneOf(mutant)
  }
  const width = Math.max(...chosen.map(({ name }) => name.length))
  let survivors = 0
  for (const mutant of chosen) {
    const { caught, text } = await judgeAll(mutant)
    if (!caught) survivors++
    const marks = `${caught ? 'caught  ' : 'SURVIVES'} ${mutant.rule.padEnd(4)}`
    console.log(`${marks} ${mutant.name.padEnd(width)}  ${text}`)
  }
  console.log(
    survivors === 0
      ? `All ${chosen.length} mutants are caught.`
      : `${survivors} of ${chosen.length} mutants survive: nothing tests what they break.`,
  )
  return survivors === 0 ? 0 : 1
}

/** Its scenario, its own swarm, and plain lives; quickly, until one of them shows it. */
async function judgeAll(mutant: Mutant): Promise<{ caught: boolean; text: string }> {
  const { swarm, scenario } = mutant
  const texts: string[] = []
  let caught = false
  if (scenario !== undefined) {
    const played = await judgeScene(mutant)
    caught ||= played !== undefined
    texts.push(`${scenario}: ${played ?? 'nothing'}`)
  }
  const swarms = swarm === undefined ? [undefined] : [swarm, undefined]
  for (const biased of swarms) {
    if (caught && values.quick) break
    const found = await judge(mutant, biased)
    caught ||= found.failures.length >= FAILURES_MIN
    texts.push(`${biased ?? 'plain'}: ${describe(found)}`)
  }
  return { caught, text: texts.join('; ') }
}

async function judge(mutant: Mutant, biased: string | undefined): Promise<Found> {
  const outcomes = await live({
    first: Number(values.seed),
    count: Number(values.seeds),
    workers: values.workers === undefined ? undefined : Number(values.workers),
    biased,
    mutant,
    failuresMax: values.quick ? FAILURES_MIN : FAILURES_MAX,
  })
  const failures = outcomes.filter(({ violation }) => violation !== undefined)
  return { lives: outcomes.length, failures }
}

/** The promise that its scenario sees broken. */
async function judgeScene(mutant: Mutant): Promise<string | undefined> {
  const transcript = await playMutant(mutant, sceneOf(mutant))
  return /^BROKEN (\S+):/m.exec(transcript)?.[1]
}

function sceneOf({ scenario }: Mutant): string {
  const file = new URL(`../../test/scenarios/${scenario}.txt`, import.meta.url)
  return readFileSync(file, 'utf8')
}

function describe({ lives, failures }: Found): string {
  const [first] = failures
  if (first === undefined) return `0 of ${lives}`
  const count = failures.length >= FAILURES_MAX ? `≥ ${FAILURES_MAX}` : String(failures.length)
  const by = new Map<string, number>()
  for (const { promise = '?' } of failures) by.set(promise, (by.get(promise) ?? 0) + 1)
  const promises = [...by].sort((a, b) => b[1] - a[1]).map(([id, n]) => `${id} ${n}`)
  const where = `first ${first.promise} in seed ${first.seed}`
  return `${count} of ${lives} (${promises.join(', ')}), ${where}`
}
