/**
 * `npm run bench:recorder`: what the way over the directory costs. From the moment when a request
 * is written until its response is seen, with a responder in a process of its own whose deed takes
 * no time; a hundred at once; and what a responder costs that has nothing to do. Run it alone on
 * the machine.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { awaitAnswerer } from '../recorder/alive.ts'
import { ask } from '../recorder/ask.ts'
import { openPlace, type Place } from '../recorder/place.ts'
import { startResponder } from '../respond/responder.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '200' },
    'idle-seconds': { type: 'string', default: '30' },
    /** Where the directory is made: in memory, as the default one is. */
    in: { type: 'string', default: '/dev/shm' },
    json: { type: 'boolean', default: false },
    answer: { type: 'string' },
  },
})

if (values.answer === undefined) await bench()
else await answer(values.answer)

async function answer(dir: string): Promise<void> {
  const responder = startResponder({
    ...{ place: openPlace(dir), name: 'bench', parallelMax: 32, tries: 1, say: () => {} },
    hooks: { before: async () => {}, after: async () => {} },
    work: {
      nodes: () => [],
      carryOut: async () => ({ success: true, message: 'done' }),
    },
  })
  await responder.acts
}

async function bench(): Promise<void> {
  const before = loadavg()[0] ?? Number.NaN
  const dir = mkdtempSync(join(values.in ?? tmpdir(), 'picket-bench-'))
  const place = openPlace(dir)
  const child = spawn(process.execPath, [import.meta.filename, '--answer', dir], {
    stdio: 'inherit',
  })
  try {
    await awaitAnswerer(place, 30_000)
    for (let warm = 0; warm < 20; warm++) await roundTrip(place, 'warm')
    const single: number[] = []
    for (let run = 0; run < Number(values.runs); run++) single.push(await roundTrip(place, 'one'))
    const names = Array.from({ length: 100 }, (_, at) => `node-${at}`)
    const many = await Promise.all(names.map((name) => roundTrip(place, name)))
    const idle = await idlePercent(child.pid ?? 0, 1_000 * Number(values['idle-seconds']))
    tell({ before, single, many, idle })
  } finally {
    child.kill()
    rmSync(dir, { recursive: true, force: true })
  }
}

/** From written to seen, in milliseconds; throws where one is lost. */
async function roundTrip(place: Place, target: string): Promise<number> {
  let writtenMs = 0
  const answered = await ask({
    ...{ place, action: 'off', target, recorder: 'bench', filesystems: [], timeoutMs: 30_000 },
    written: () => {
      writtenMs = performance.now()
    },
    seen: () => {
      writtenMs = performance.now() - writtenMs
    },
  })
  if (!answered.ok || !answered.response.success) throw new Error(`${target} was lost`)
  return writtenMs
}

/** How much of one core a process uses. */
async function idlePercent(pid: number, spanMs: number): Promise<number> {
  const ticks = (): number => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return Number(fields[11]) + Number(fields[12])
  }
  await sleep(2_000)
  const first = ticks()
  await sleep(spanMs)
  // A tick is a hundredth of a second.
  return ((ticks() - first) * 10 * 100) / spanMs
}

interface Found {
  readonly before: number
  readonly single: readonly number[]
  readonly many: readonly number[]
  readonly idle: number
}

function tell({ before, single, many, idle }: Found): void {
  const one = spread(single)
  const all = spread(many)
  if (values.json) {
    const where = { node: process.versions.node, cores: cpus().length, load: before }
    console.log(JSON.stringify({ ...where, one, all, lost: 0, idlePercent: idle }))
    return
  }
  console.log('from a request that is written to its response, in milliseconds')
  console.log('                    median     p90     p99     max')
  console.log(`  one at a time   ${row(one)}`)
  console.log(`  100 at once     ${row(all)}   none was lost`)
  console.log(`a responder with nothing to do uses ${idle.toFixed(2)} % of a core`)
  if (before > 1) {
    console.error(`The load was ${before.toFixed(1)} at the start: measure again when it rests.`)
  }
}

interface Spread {
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

function spread(all: readonly number[]): Spread {
  const sorted = [...all].sort((a, b) => a - b)
  const at = (part: number) => sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) }
}

function row({ p50, p90, p99, max }: Spread): string {
  return [p50, p90, p99, max].map((ms) => ms.toFixed(1).padStart(8)).join('')
}
