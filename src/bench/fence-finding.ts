/** What `bench:fence` finds out, as data and as a table. */
import type { Spread } from './spread.ts'

/** One thing that was measured, against its peer where it has one. */
export interface Finding {
  readonly what: string
  /** Milliseconds. */
  readonly ours: Spread
  readonly peer?: { readonly name: string; readonly took: Spread } | undefined
  readonly target: Target
}

export type Target = Readonly<
  /** Our median over that of the peer. */
  | { kind: 'ratio'; atMost: number }
  /** Our worst, in milliseconds. */
  | { kind: 'worst'; atMost: number }
>

/** A part of a command's time. */
export interface Phase {
  readonly what: string
  readonly took: Spread
}

/** What the target is compared with. */
export function reached({ ours, peer, target }: Finding): number {
  return target.kind === 'worst' ? ours.high : ours.median / (peer?.took.median ?? Number.NaN)
}

export function isMet(finding: Finding): boolean {
  return reached(finding) <= finding.target.atMost
}

export function textOf(findings: readonly Finding[], phases: readonly Phase[] = []): string {
  const rows = findings.flatMap((finding) => {
    const { what, ours, peer } = finding
    const verdict = `${goalOf(finding)}: ${isMet(finding) ? 'met' : 'missed'}`
    const first = [what, spreadText(ours), verdict]
    return peer === undefined ? [first] : [first, [`  ${peer.name}`, spreadText(peer.took), '']]
  })
  const parts = phases.map(({ what, took }) => [`  ${what}`, spreadText(took), ''])
  const head = parts.length > 0 ? [['where the time of `picket fence status` goes', '', '']] : []
  return table([...rows, ...head, ...parts])
}

function goalOf(finding: Finding): string {
  const { kind, atMost } = finding.target
  const found = reached(finding)
  return kind === 'ratio'
    ? `${found.toFixed(2)} x, target ${atMost} x`
    : `${found.toFixed(0)} ms at worst, target ${atMost} ms`
}

function spreadText({ median, low, high }: Spread): string {
  const digits = high < 100 ? 1 : 0
  const [middle, least, most] = [median, low, high].map((number) => number.toFixed(digits))
  return `${middle?.padStart(7)} ms  (${least} to ${most})`
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
