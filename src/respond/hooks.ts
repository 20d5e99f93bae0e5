/**
 * Programs of the user's that are told before and after a fencing. They may do what they like, for
 * a few seconds, and change nothing about it: one that fails or hangs is told of, and that is all.
 */
import { type ChildResult, runChild } from '../foreign/child.ts'
import { printable } from '../foreign/printable.ts'
import type { Request, Response } from '../recorder/message.ts'
import type { Hooks } from './pool.ts'
import type { Say } from './work.ts'

export interface HookOptions {
  readonly before: string | undefined
  readonly after: string | undefined
  readonly say: Say
  readonly boundMs?: number
}

const outputMaxBytes = 64 * 2 ** 10

export function hooksOf({ before, after, say, boundMs = 5_000 }: HookOptions): Hooks {
  const call = async (program: string | undefined, request: Request, told: object) => {
    if (program === undefined) return
    const signal = AbortSignal.timeout(boundMs)
    const trouble = await whyNot(() => runProgram(program, request, told, signal))
    if (trouble !== undefined) say('warn', `The hook ${program} ${trouble}. The fencing goes on.`)
  }
  return {
    before: (request) => call(before, request, { request }),
    after: (request: Request, response: Response) => call(after, request, { request, response }),
  }
}

async function whyNot(run: () => Promise<ChildResult>): Promise<string | undefined> {
  try {
    const { code, stderr } = await run()
    if (code === 0) return undefined
    return `ended with ${code ?? 'a signal'}${stderr.trim() && `: ${printable(stderr)}`}`
  } catch (error) {
    return `failed: ${printable((error as Error).message)}`
  }
}

/** What every program of the user's is told: the whole on its standard input, the rest by name. */
export function runProgram(
  program: string,
  { request_id, action, target_node }: Request,
  told: object,
  signal: AbortSignal,
): Promise<ChildResult> {
  const env = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C',
    FENCE_REQUEST_ID: request_id,
    FENCE_ACTION: action,
    FENCE_TARGET: target_node,
  }
  return runChild(program, [], { env, stdin: `${JSON.stringify(told)}\n`, signal, outputMaxBytes })
}
