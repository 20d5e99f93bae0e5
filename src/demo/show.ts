/** How the demonstration looks: a picture of the stage, a timeline for every story, a last word. */
import type { Outcome, Story } from './stories.ts'

/** Paints where colour is wanted; every colour has a word or a sign beside it. */
export type Paint = (colour: 'good' | 'bad' | 'dim' | 'strong', text: string) => string

export const picture = `
        client ──── 10.77.0.100 (the virtual address) ──── every 20 ms
                         │
      ┌──────────────────┼──────────────────┐   two Corosync links,
   node1              node2              node3   one shared folder
      │                  │                  │
   BMC BMC            BMC BMC            BMC BMC   two power buttons each
`

interface Row {
  readonly what: string
  readonly atMs: number | undefined
  readonly note?: string
}

/** The timeline of a story: each milestone from the moment of the fault, and the step before it. */
export function timelineOf(outcome: Outcome, paint: Paint): string[] {
  const { beganMs, timeline, interruption, victim } = outcome
  const rows: Row[] = [
    { what: 'the fault', atMs: beganMs, note: victim },
    { what: 'detected', atMs: timeline.detectedMs, note: 'Corosync has a new ring' },
    { what: 'decided', atMs: timeline.decidedMs, note: 'the members have the order' },
    { what: 'command sent', atMs: timeline.sentMs, note: timeline.sentVia ?? '' },
    { what: 'off confirmed', atMs: timeline.confirmedMs, note: timeline.confirmedBy ?? '' },
    { what: 'started', atMs: timeline.startedMs, note: outcome.now ?? '' },
    { what: 'answering', atMs: moved(outcome), note: interruption?.node ?? '' },
  ]
  const known = rows.filter((row) => row.atMs !== undefined)
  const lastMs = Math.max(...known.map((row) => row.atMs! - beganMs), 1)
  return known
    .toSorted((a, b) => a.atMs! - b.atMs!)
    .map(({ what, atMs, note }) => {
      const sinceMs = atMs! - beganMs
      const at = Math.round((sinceMs / lastMs) * 28)
      const line = `${paint('dim', '─'.repeat(at))}●${paint('dim', '─'.repeat(28 - at))}`
      const stamp = `${sinceMs.toFixed(0).padStart(6)} ms`
      return `    ${stamp}  ${line}  ${what.padEnd(14)} ${paint('dim', note ?? '')}`
    })
}

function moved({ interruption, victim }: Outcome): number | undefined {
  return interruption !== undefined && interruption.node !== victim
    ? interruption.untilMs
    : undefined
}

/** What is to be said after the timeline. */
export function closing(outcome: Outcome, paint: Paint): string[] {
  const { interruption, now, broken, remarks } = outcome
  const lines = remarks.map((remark) => `    ${remark}`)
  if (now !== undefined && interruption !== undefined) {
    const gap = `${interruption.forMs.toFixed(0)} ms`
    lines.push(`    the client went without an answer for ${paint('strong', gap)}`)
  } else if (now === undefined) {
    lines.push('    nothing has moved')
  }
  if (broken.length === 0) {
    lines.push(`    ${paint('good', '✓')} writers overlapping: none`)
  } else {
    lines.push(...broken.map((line) => `    ${paint('bad', '✗')} ${line}`))
  }
  return lines
}

export function heading(index: number, count: number, story: Story, paint: Paint): string[] {
  return [
    '',
    paint('strong', `${index}/${count}  ${story.title}`),
    `    ${paint('dim', story.about)}`,
  ]
}
