/**
 * Takes requests up and answers each of them: once for each id and each key, in the order of the
 * plan, again after a failure, and never after its deadline.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { hasEnded } from '../recorder/alive.ts'
import { deadlineOf, type Request, type Response } from '../recorder/message.ts'
import { answerTo, type Claims, isHistory, isSame } from './claims.ts'
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
  /** Asked before each one is begun: may this process still act? */
  readonly mayBegin?: () => boolean
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
/** How often it is looked whether anybody still waits for what is under way. */
const lookEveryMs = 250

/**
 * A deadline by the clock of the world and by one that nobody sets: the first may be put back, and
 * the second stands still while a machine sleeps. The earlier of the two counts.
 */
interface End {
  readonly wallMs: number
  readonly ownMs: number
}

const leftMsOf = ({ wallMs, ownMs }: End): number =>
  Math.min(wallMs - Date.now(), ownMs - performance.now())

type Answer = Promise<Response | undefined>

interface Job extends Waiting {
  readonly ends: End
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
    const nowMs = performance.now()
    const still = waiting.map((job) => ({ ...job, untilMs: nowMs + leftMsOf(job.ends) }))
    const { begin, late } = planOf(still, busy, parallelMax, nowMs)
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
    const nextMs = Math.min(...waiting.map(({ ends }) => leftMsOf(ends)))
    if (waiting.length > 0) timer = setTimeout(advance, Math.max(1, nextMs + 1))
  }
  const over = (job: Job): void => {
    underWay.delete(job)
    if (!stop.signal.aborted) advance()
  }
  const carriedOut = async (request: Request, untilMs: number, resumed: boolean) => {
    const outcome = await new Promise<Outcome | undefined>((answer) => {
      const ends = { wallMs: untilMs, ownMs: performance.now() + untilMs - Date.now() }
      waiting.push({ request, untilMs, ends, turn: turn++, resumed, answer })
      advance()
    })
    return outcome && responseOf(request, outcome)
  }

  const take = async (request: Request): Answer => {
    const earlier = earlierAnswer(claims, request)
    if (earlier !== undefined) return earlier
    const known = claims.of(request)
    const untilMs = deadlineOf(request, Date.now())
    if (typeof untilMs === 'string') {
      return responseOf(request, { success: false, message: `Refused: ${untilMs}` })
    }
    if (untilMs <= Date.now()) return responseOf(request, expired)
    if (stop.signal.aborted) return undefined
    const room = isDeed(request) ? waitingMax : waitingMax / 2
    if (waiting.length >= room || claims.isFull()) return responseOf(request, crowded)
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

/** What is said to a request whose id or key was used before; `undefined`: it has to be done. */
function earlierAnswer(claims: Claims, request: Request): Response | undefined {
  const known = claims.of(request)
  if (claims.isDamaged(request)) return responseOf(request, illegible)
  if (known === undefined) return undefined
  if (!isSame(known.request, request)) return responseOf(request, misused)
  if (isHistory(known, Date.now())) return responseOf(request, worn)
  return known.response && answerTo(request, known.response)
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
  message: 'Refused: too many requests wait, or may still be asked for; it was not carried out',
}
/** What came of the other one says nothing of now. */
const worn: Outcome = {
  success: false,
  message: 'Refused: its id or its key was used before, long ago: ask with new ones',
}
const illegible: Outcome = {
  success: false,
  message: 'Refused: its claim cannot be read, so it may have been carried out: ask with a new id',
}

const forsaken: Outcome = {
  success: false,
  message: 'Refused: whoever asked for it has ended and waits no more; it was not carried out',
}

const abandoned: Outcome = {
  success: false,
  message: 'It was stopped: whoever asked for it has ended; what was sent may still be done',
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
    if (options.mayBegin?.() === false) return answer(undefined)
    // A look changes nothing: nobody has to know later that it was begun.
    if (isDeed(request)) await claims.begin(request)
    if (isDeed(request)) await hooks.before(request)
    outcome = await attempts(options, job, stop)
    const response = responseOf(request, outcome)
    if (isDeed(request)) await kept(options, request, response)
    if (isDeed(request)) void hooks.after(request, response)
  } catch (error) {
    const because = error instanceof Error ? error.message : String(error)
    say('alarm', `Request ${request.request_id} could not be carried out: ${because}.`)
    outcome = { success: false, message: `It could not be carried out: ${because}` }
  }
  answer(outcome)
}

/** It is done: that this cannot be recorded any more takes nothing from the answer. */
async function kept({ claims, say }: PoolOptions, request: Request, response: Response) {
  await claims.end(request, response).catch((error: Error) => {
    say('alarm', `What came of request ${request.request_id} is not kept: ${error.message}.`)
  })
}

/** Tries until it is done, or it is too late, or often enough, or nobody waits any more. */
async function attempts(
  { work, tries, say }: PoolOptions,
  { request, ends, resumed }: Job,
  stop: AbortSignal,
): Promise<Outcome> {
  let last: Outcome = expired
  for (let number = 1; number <= tries; number++) {
    const leftMs = leftMsOf(ends)
    if (leftMs <= 0) return number === 1 ? expired : last
    const wanted = wantedFor(request, ends)
    try {
      const { signal } = wanted
      last = await work.carryOut(request, { number, resumed, signal, wanted: wanted.still })
      if (isForsaken(request)) return last.success ? last : abandoned
      if (last.success || last.final || signal.aborted || number === tries || stop.aborted) break
      const { action, target_node: target } = request
      say('warn', `${action} ${target} failed and is tried again: ${last.message}`)
      await sleep(pauseMs * number, undefined, { signal }).catch(() => {})
    } finally {
      wanted.end()
    }
  }
  return last
}

/** Aborts at the deadline by either clock, and soon after whoever waits has ended. */
function wantedFor(request: Request, ends: End) {
  const nobody = new AbortController()
  const timer = setTimeout(() => nobody.abort(), leftMsOf(ends))
  const still = () => leftMsOf(ends) > 0 && !isForsaken(request)
  const looking = setInterval(() => {
    if (!still()) nobody.abort()
  }, lookEveryMs)
  return {
    signal: nobody.signal,
    still,
    end() {
      clearTimeout(timer)
      clearInterval(looking)
    },
  }
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
