/**
 * What a type of health check is: one value that asks a question and says how it was answered. A
 * new type is one file with one `defineCheck` and one line in `index.ts`.
 *
 * A check changes nothing. It answers within its bound, bad or good, with a reason for people; what
 * it throws is a bad answer.
 */
import { z } from 'zod'
import { printable } from '../foreign/printable.ts'
import type { OperationScope } from '../resources/resource.ts'

export interface Answer {
  readonly ok: boolean
  /** In a clause: `status 503`, `connection refused`. */
  readonly detail: string
}

export interface CheckContext {
  /** Whose health is asked for; empty where it is the node's. */
  readonly resource: string
  /** Aborted at the bound. */
  readonly signal: AbortSignal
  /** The bound, on the clock of `performance.now()`. */
  readonly deadlineMs: number
  /** Runs programs; nothing of them is left when the answer is told. */
  readonly scope: OperationScope
}

export interface CheckDefinition<Schema extends z.ZodObject, Memory> {
  readonly name: string
  readonly title: string
  readonly options: Schema
  /** What it keeps open between two questions. */
  readonly memory: (options: z.output<Schema>) => Memory
  readonly ask: (
    options: z.output<Schema>,
    context: CheckContext & { readonly memory: Memory },
  ) => Promise<Answer>
  /** From now on tells when the answer may be another one. A hint, no proof. */
  readonly watch?: (memory: Memory, tell: (because: string) => void) => void
  readonly close?: (memory: Memory) => void
}

/** A type of check as the rest of the program sees it: options go in unparsed. */
export interface CheckType {
  readonly name: string
  readonly title: string
  readonly options: z.ZodObject
  /** Throws with a readable list of what is wrong with the options. */
  open(options: unknown): OpenCheck
}

export interface OpenCheck {
  ask(context: CheckContext): Promise<Answer>
  watch(tell: (because: string) => void): void
  close(): void
}

/** What is said of one answer goes to the log and to the other nodes: on one line, and short. */
const DETAIL_CHARS = 160

/** Makes a type of check of its definition. */
export function defineCheck<Schema extends z.ZodObject, Memory>(
  definition: CheckDefinition<Schema, Memory>,
): CheckType {
  const { name, title, options: schema, ask, watch, close } = definition
  return {
    name,
    title,
    options: schema,
    open(raw) {
      const parsed = schema.safeParse(raw)
      if (!parsed.success) {
        throw new Error(`options of a check of type ${name}: ${z.prettifyError(parsed.error)}`)
      }
      const options = parsed.data
      const memory = definition.memory(options)
      return {
        ask: async (context) => {
          const { ok, detail } = await ask(options, { ...context, memory })
          return { ok, detail: short(detail) }
        },
        watch: (tell) => watch?.(memory, tell),
        close: () => close?.(memory),
      }
    },
  }
}

/** What strangers say, made safe for a line of the log. */
export function short(text: string): string {
  return printable(text, DETAIL_CHARS - 1)
}
