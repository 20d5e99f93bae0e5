/** What `bench:failover` has measured, as a table with the targets below it. */
import type { Loss } from './contender.ts'
import { median, p95 } from './spread.ts'

/** We have set ourselves a quarter of what Pacemaker takes beyond Corosync's detection. */
const BEYOND_AT_MOST = 0.25
/** And so much beyond what detection and device take, which is not ours to shorten. */
const OWN_AT_MOST_MS = 250

const columns = [
  { head: 'detection', of: (loss: Loss) => loss.detectedMs },
  { head: 'device', of: (loss: Loss) => loss.deviceMs },
  { head: 'address', of: (loss: Loss) => loss.addressMs },
  { head: 'total', of: (loss: Loss) => loss.totalMs },
  { head: 'beyond', of: beyond },
] as const

function beyond({ totalMs, detectedMs }: Loss): number | undefined {
  return detectedMs === undefined ? undefined : totalMs - detectedMs
}

function own({ totalMs, detectedMs, deviceMs }: Loss): number | undefined {
  if (detectedMs === undefined || deviceMs === undefined) return undefined
  return totalMs - detectedMs - deviceMs
}

/** The lines of one fault; Picket is the first of the contenders. */
export function lossTable(title: string, found: ReadonlyMap<string, readonly Loss[]>): string[] {
  const theirs = medianOf(found.get('Pacemaker') ?? [], beyond)
  const head = columns.map((column) => column.head.padStart(14)).join('')
  const rows = [...found].map(([name, losses]) => {
    const cells = columns.map(({ of }) => cell(knownOf(losses, of)))
    const ratio = medianOf(losses, beyond) / theirs
    const shown = Number.isNaN(ratio) ? '-' : `${ratio.toFixed(2)} x`
    const count = String(losses.length).padStart(3)
    return `  ${name.padEnd(12)}${count}${cells.join('')}${shown.padStart(9)}`
  })
  const ours = found.get('Picket') ?? []
  const verdicts = [
    verdict(
      'beyond detection, to that of Pacemaker',
      medianOf(ours, beyond) / theirs,
      BEYOND_AT_MOST,
    ),
    verdict('total without detection and device, ms', medianOf(ours, own), OWN_AT_MOST_MS),
  ]
  const ways = [...found].flatMap(([name, losses]) => wayOf(name, losses))
  const legend = `  ${'ms: median/p95'.padEnd(15)}${head}   beyond, to Pacemaker`
  return ['', title, legend, ...rows, ...ways, ...verdicts]
}

/** Where the time goes that is neither detection nor device. */
function wayOf(name: string, losses: readonly Loss[]): string[] {
  const parts = losses.flatMap(({ detectedMs, commandMs, deviceMs, addressMs, totalMs }) => {
    if (detectedMs === undefined || commandMs === undefined || deviceMs === undefined) return []
    const toAddressMs = addressMs - commandMs - deviceMs
    return [{ toCommandMs: commandMs - detectedMs, toAddressMs, rest: totalMs - addressMs }]
  })
  if (parts.length === 0) return []
  const middle = (of: (part: (typeof parts)[number]) => number) => median(parts.map(of)).toFixed(0)
  const [command, address] = [middle((one) => one.toCommandMs), middle((one) => one.toAddressMs)]
  const service = middle((one) => one.rest)
  const way = `detection to command ${command}, proof to address ${address}`
  return [`  ${name}, medians: ${way}, address to service ${service}`]
}

function verdict(what: string, reached: number, atMost: number): string {
  if (Number.isNaN(reached)) return `  ${what}: not measured, target ${atMost}`
  const word = reached <= atMost ? 'met' : 'missed'
  return `  ${what}: ${reached.toFixed(atMost < 1 ? 2 : 0)}, target ${atMost}: ${word}`
}

function knownOf(losses: readonly Loss[], of: (loss: Loss) => number | undefined): number[] {
  return losses.map(of).filter((ms) => ms !== undefined)
}

function medianOf(losses: readonly Loss[], of: (loss: Loss) => number | undefined): number {
  return median(knownOf(losses, of))
}

function cell(numbers: readonly number[]): string {
  if (numbers.length === 0) return '-'.padStart(14)
  return `${median(numbers).toFixed(0)}/${p95(numbers).toFixed(0)}`.padStart(14)
}
