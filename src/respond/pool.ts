/**
 * Takes requests up and answers each of them: once for each id and each key, in the order of the
 * plan, again after a failure, and never after its deadline.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { hasEnded } from '../recorder/alive.ts'
import { deadlineOf, type Request, type Response } from '../recorder/message.ts'
import { answerTo, type Claims, isSame } from './claims.ts'
import { isDeed, planOf, type Waiting } from './plan.ts'
import type { Outcome, Say, Work } from './work.ts'

export interface Hooks {
  before(request: Request): Promise<void>
  after(request: Request, response: Response): Promise<void>
}

export interface PoolOptions {
  readonly claims: Claims
  readonly work: Work
  readonly hooks: Hooks
  readonly say: Say
  /** How many requests are carried out at once. */
  readonly parallelMax: number
  /** How often one that fails is tried. */
  readonly tries: number
}

export interface Pool {
  /**
   * What comes of it. Never rejects; ends at its deadline at the latest, but for a moment.
   * `undefined`: it was not begun here, and is left to whoever comes next.
   */
  take(request: Request): Promise<Response | undefined>
  /** Nothing more is begun; ends when nothing is under way any more. */
  close(): Promise<void>
}

/** So many wait at most: nobody has more nodes. */
const waitingMax = 1_000
const pauseMs = 500

type Answer = Promise<Response | undefined>

interface Job extends Waiting {
  readonly resumed: boolean
  readonly answer: (outcome: Outcome | undefined) => void
}

export function openPool(options: PoolOptions): Pool {
  const { claims, say, parallelMax } = options
  const waiting: Job[] = []
  const underWay = new Map<Job, Promise<void>>()
  /** Promised answers, by request. */
  const promised = new Map<string, { readonly request: Request; answer: Answer }>()
  const stop = new AbortController()
  let turn = 0
  let timer: NodeJS.Timeout | undefined

  const advance = (): void => {
    clearTimeout(timer)
    const busy = [...underWay.keys()].map(({ request }) => request)
    const { begin, late } = planOf(waiting, busy, parallelMax, Date.now())
    for (const job of late) {
      remove(waiting, job)
      if (isJob(job)) job.answer(expired)
    }
    for (const job of begin) {
      remove(waiting, job)
      if (isJob(job))
        underWay.set(
          job,
          run(options, job, stop.signal).finally(() => over(job)),
        )
    }
    const nextMs = Math.min(...waiting.map(({ untilMs }) => untilMs)) - Date.now()
    if (waiting.length > 0) timer = setTimeout(advance, Math.max(1, nextMs + 1))
  }
  const over = (job: Job): void => {
    underWay.delete(job)
    if (!stop.signal.aborted) advance()
  }
  const carriedOut = async (request: Request, untilMs: number, resumed: boolean) => {
    const outcome = await new Promise<Outcome | undefined>((answer) => {
      waiting.push({ request, untilMs, turn: turn++, resumed, answer })
      advance()
    })
    return outcome && responseOf(request, outcome)
  }

  const take = async (request: Request): Answer => {
    const known = claims.of(request)
    if (known !== undefined && !isSame(known.request, request)) return responseOf(request, misused)
    if (known?.response !== undefined) return answerTo(request, known.response)
    const untilMs = deadlineOf(request, Date.now())
    if (typeof untilMs === 'string') {
      return responseOf(request, { success: false, message: `Refused: ${untilMs}` })
    }
    if (untilMs <= Date.now()) return responseOf(request, expired)
    if (stop.signal.aborted) return undefined
    if (waiting.length >= waitingMax) return responseOf(request, crowded)
    if (known !== undefined) say('warn', resumedText(request))
    return await carriedOut(request, untilMs, known !== undefined)
  }

  return {
    async take(request) {
      const key = request.idempotency_key ?? request.request_id
      const other = promised.get(key) ?? promised.get(request.request_id)
      if (other !== undefined) {
        if (!isSame(other.request, request)) return responseOf(request, misused)
        const response = await other.answer
        return response && answerTo(request, response)
      }
      const answer = take(request)
      for (const name of [key, request.request_id]) promised.set(name, { request, answer })
      try {
        return await answer
      } finally {
        for (const name of [key, request.request_id]) promised.delete(name)
      }
    },
    async close() {
      stop.abort()
      clearTimeout(timer)
      for (const { answer } of waiting.splice(0)) answer(undefined)
      await Promise.all(underWay.values())
    },
  }
}

const expired: Outcome = {
  success: false,
  message: 'Refused: its deadline has passed; it was not carried out',
}
const misused: Outcome = {
  success: false,
  message: 'Refused: its id or its key was used for another action or another node',
}
const crowded: Outcome = {
  success: false,
  message: `Refused: ${waitingMax} requests wait already; it was not carried out`,
}

const forsaken: Outcome = {
  success: false,
  message: 'Refused: whoever asked for it has ended and waits no more; it was not carried out',
}

/** Pacemaker kills an agent whose time is over: what it asked for is not to be done after that. */
const isForsaken = ({ requester }: Request): boolean =>
  requester !== undefined && hasEnded(requester)

const resumedText = ({ request_id, action, target_node }: Request): string =>
  `Request ${request_id} (${action} ${target_node}) was begun by a responder that has ended.`

const isJob = (waiting: Waiting): waiting is Job => 'answer' in waiting

function remove(waiting: Job[], job: Waiting): void {
  const at = waiting.findIndex(({ turn }) => turn === job.turn)
  if (at >= 0) waiting.splice(at, 1)
}

/** Carries one out, from the claim to the answer. */
async function run(options: PoolOptions, job: Job, stop: AbortSignal): Promise<void> {
  const { claims, hooks, say } = options
  const { request, answer } = job
  let outcome: Outcome
  try {
    if (isForsaken(request)) return answer(forsaken)
    // A look changes nothing: nobody has to know later that it was begun.
    if (isDeed(request)) await claims.begin(request)
    if (isDeed(request)) await hooks.before(request)
    outcome = await attempts(options, job, stop)
    const response = responseOf(request, outcome)
    if (isDeed(request)) await claims.end(request, response)
    if (isDeed(request)) void hooks.after(request, response)
  } catch (error) {
    const because = error instanceof Error ? error.message : String(error)
    say('alarm', `Request ${request.request_id} could not be carried out: ${because}.`)
    outcome = { success: false, message: `It could not be carried out: ${because}` }
  }
  answer(outcome)
}

/** Tries until it is done, or it is too late, or often enough. */
async function attempts(
  { work, tries, say }: PoolOptions,
  { request, untilMs, resumed }: Job,
  stop: AbortSignal,
): Promise<Outcome> {
  let last: Outcome = expired
  for (let number = 1; number <= tries; number++) {
    const leftMs = untilMs - Date.now()
    if (leftMs <= 0) return number === 1 ? expired : last
    const signal = AbortSignal.timeout(leftMs)
    last = await work.carryOut(request, { number, resumed, signal })
    if (isForsaken(request)) break
    if (last.success || last.final || signal.aborted || number === tries || stop.aborted) break
    const { action, target_node: target } = request
    say('warn', `${action} ${target} failed and is tried again: ${last.message}`)
    await sleep(pauseMs * number, undefined, { signal }).catch(() => {})
  }
  return last
}

export function responseOf(request: Request, outcome: Outcome): Response {
  const { success, message, power, evidence } = outcome
  return {
    request_id: request.request_id,
    success,
    action_performed: request.action,
    target_node: request.target_node,
    message,
    timestamp: new Date().toISOString(),
    ...(power !== undefined && { power }),
    ...(evidence !== undefined && { evidence }),
  }
}
