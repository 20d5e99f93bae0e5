/** What it takes to carry out a request, and what comes of it. */
import type { Request } from '../recorder/message.ts'

export interface Outcome {
  readonly success: boolean
  readonly message: string
  readonly power?: 'on' | 'off' | 'unknown'
  readonly evidence?: unknown
  /** It failed, and the same will fail again: it is not tried once more. */
  readonly final?: true
}

export interface Attempt {
  /** From 1. */
  readonly number: number
  /** A responder that has ended had begun it: it may be done, in part or in whole. */
  readonly resumed: boolean
  /** Aborts when nobody waits for it any more. */
  readonly signal: AbortSignal
  /** The same, asked: who was frozen hears of a signal only after what came before it. */
  readonly wanted: () => boolean
}

export interface Work {
  /** The nodes that it knows, where it knows them. */
  nodes(): readonly string[]
  /** Never throws, and ends soon after the signal. */
  carryOut(request: Request, attempt: Attempt): Promise<Outcome>
}

export type Say = (level: 'info' | 'warn' | 'alarm', text: string) => void
