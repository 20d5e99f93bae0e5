/** What `picket simulate --json` prints. Its names are kept from version to version. */
import type { Advice } from '../drill/advice.ts'
import type { Plant } from '../drill/plant.ts'
import type { Row, Verdict } from '../drill/summary.ts'

export interface Report {
  readonly cluster: string
  readonly tokenMs: number
  readonly cases: readonly {
    readonly failure: string
    readonly node: string
    readonly box: string | null
    readonly resource: string | null
    readonly seeds: readonly number[]
    readonly verdict: Verdict
    readonly text: string
    /** Instants are milliseconds since the failure, the medians of all lives; null: never. */
    readonly detectedMs: number | null
    readonly provenMs: number | null
    readonly services: readonly {
      readonly id: string
      readonly medianMs: number
      readonly worstMs: number
      readonly stays: boolean
    }[]
    readonly broken: readonly string[]
    readonly commands: readonly string[]
  }[]
  readonly advice: readonly Advice[]
  readonly assumed: readonly string[]
}

export function reportOf(
  { config, tokenMs }: Plant,
  rows: readonly Row[],
  advice: readonly Advice[],
  assumed: readonly string[],
): Report {
  return {
    cluster: config.cluster,
    tokenMs,
    cases: rows.map(({ failure, victim, outcomes, ...row }) => ({
      failure,
      node: victim.node,
      box: victim.box?.name ?? null,
      resource: victim.resource ?? null,
      seeds: outcomes.map(({ seed }) => seed),
      verdict: row.verdict,
      text: row.text,
      detectedMs: rounded(row.detectedMs?.medianMs),
      provenMs: rounded(row.provenMs?.medianMs),
      services: row.services.map(({ id, medianMs, worstMs, stays }) => ({
        id,
        medianMs: Math.round(medianMs),
        worstMs: Math.round(worstMs),
        stays,
      })),
      broken: row.broken,
      commands: row.commands,
    })),
    advice,
    assumed,
  }
}

function rounded(spanMs: number | undefined): number | null {
  return spanMs === undefined ? null : Math.round(spanMs)
}
