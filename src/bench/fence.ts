/**
 * `npm run bench:fence`: how long a fencing takes with one device and with many, side by side with
 * Debian's `fence_ipmilan` where it does the same. The peers take turns; medians are printed with
 * their spread, nothing is asserted. Run it alone on the machine.
 */
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { measureCommand } from './fence-command.ts'
import { type Finding, type Phase, textOf } from './fence-finding.ts'
import { measureMany } from './fence-many.ts'
import { measureOff } from './fence-off.ts'
import { startMachine, whyNoMachine } from './machine.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10' },
    json: { type: 'boolean', default: false },
  },
})

const runs = Number(values.runs)
const why = Number.isInteger(runs) && runs > 0 ? whyNoMachine() : '--runs takes a number above 0.'
if (why === undefined) await bench()
else {
  console.error(`The benchmark cannot run: ${why}`)
  process.exitCode = 1
}

async function bench(): Promise<void> {
  const before = loadavg()[0] ?? Number.NaN
  const findings: Finding[] = []
  const phases: Phase[] = []
  const machine = await startMachine()
  try {
    findings.push(...(await measureOff(machine, runs, progress)))
    const command = await measureCommand(machine, runs, progress)
    findings.push(...command.findings)
    phases.push(...command.phases)
  } finally {
    machine.stop()
  }
  findings.push(...(await measureMany(runs, progress)))
  const { node } = process.versions
  const load = { before, after: loadavg()[0] ?? Number.NaN }
  const where = { node, cores: cpus().length, model: cpus()[0]?.model ?? '', load }
  if (values.json) console.log(JSON.stringify({ ...where, runs, findings, phases }))
  else console.log(textOf(findings, phases))
  if (before > 1) console.error(busy(before))
}

function busy(load: number): string {
  return `The load of the machine was ${load.toFixed(1)} at the start: measure again when it rests.`
}

function progress(text: string): void {
  process.stderr.write(`  ${text}\n`)
}
