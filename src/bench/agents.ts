/**
 * `npm run bench:agents`: our fence agent beside Debian's `fence_ipmilan`: how long its metadata
 * takes, and an off that pacemaker-fenced has done by it, on one simulated BMC. The peers take
 * turns; medians are printed with their spread, nothing is asserted. Run it alone on the machine.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { beginWithFenced, whyNoFenced } from '../lab/fenced.ts'
import { run } from '../lab/run.ts'
import { type Finding, textOf } from './fence-finding.ts'
import { timed } from './fence-off.ts'
import { whyNoMachine } from './machine.ts'
import { buildRelease } from './release.ts'
import { spreadOf } from './spread.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10' },
    json: { type: 'boolean', default: false },
  },
})

const runs = Number(values.runs)
const isCount = Number.isInteger(runs) && runs > 0
const why = isCount ? (whyNoMachine() ?? whyNoFenced()) : '--runs takes a number above 0.'
if (why === undefined) await bench()
else {
  console.error(`The benchmark cannot run: ${why}`)
  process.exitCode = 1
}

async function bench(): Promise<void> {
  const before = loadavg()[0] ?? Number.NaN
  process.stderr.write('  building a release\n')
  const release = await buildRelease()
  try {
    const picket = release.program('picket')
    const findings = [await metadata(picket), await throughFenced(picket)]
    console.log(values.json ? JSON.stringify({ runs, findings }) : textOf(findings))
  } finally {
    release.remove()
  }
  if (before > 1) {
    console.error(`The load was ${before.toFixed(1)} at the start: measure again when it rests.`)
  }
}

/** The first call of each fills the caches of the disk. */
async function inTurns(ours: () => Promise<number>, theirs: () => Promise<number>) {
  await ours()
  await theirs()
  const took = { ours: [] as number[], theirs: [] as number[] }
  for (let index = 0; index < runs; index++) {
    const turns = [
      async () => void took.ours.push(await ours()),
      async () => void took.theirs.push(await theirs()),
    ]
    for (const turn of index % 2 ? turns.reverse() : turns) await turn()
  }
  return took
}

async function metadata(picket: string): Promise<Finding> {
  const dir = mkdtempSync(join(tmpdir(), 'picket-bench-'))
  try {
    const { status, stderr } = await run([picket, 'agents', 'install', '--dir', dir])
    if (status !== 0) throw new Error(`the agents cannot be placed: ${stderr}`)
    const took = await inTurns(
      () => timed([join(dir, 'fence_picket_ipmi'), '-o', 'metadata'], 0),
      () => timed(['fence_ipmilan', '-o', 'metadata'], 0),
    )
    return {
      what: 'metadata of fence_picket_ipmi',
      ours: spreadOf(took.ours),
      peer: { name: 'fence_ipmilan -o metadata', took: spreadOf(took.theirs) },
      target: { kind: 'ratio', atMost: 0.8 },
    }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Both in one box, on one BMC: what is measured there comes back as a line of JSON. */
async function throughFenced(picket: string): Promise<Finding> {
  const program = fileURLToPath(new URL('agents-inside.ts', import.meta.url))
  const child = beginWithFenced([process.execPath, program, String(runs)], { PICKET: picket })
  let text = ''
  for await (const chunk of child.stdout!.setEncoding('utf8')) text += chunk
  const { ours, theirs } = JSON.parse(text) as Record<'ours' | 'theirs', number[]>
  return {
    what: 'stonith_admin -F by fence_picket_ipmi',
    ours: spreadOf(ours),
    peer: { name: 'stonith_admin -F by fence_ipmilan', took: spreadOf(theirs) },
    target: { kind: 'ratio', atMost: 0.5 },
  }
}
