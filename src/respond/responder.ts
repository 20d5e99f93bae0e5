/**
 * A responder: takes the requests out of the directory, has them carried out, and writes what came
 * of each. Of several on one directory one acts, who holds a lock that dies with it, however it
 * dies; the others wait for it.
 */
import { lstatSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { claimFile, type FileClaim } from '../daemon/instance.ts'
import { aliveFile, beat, beatEveryMs } from '../recorder/alive.ts'
import {
  deadlineOf,
  fileName,
  idIn,
  type Request,
  type Response,
  readRequest,
  textOf,
} from '../recorder/message.ts'
import { keep, keptMax, type Place, prune, put, readText } from '../recorder/place.ts'
import { watchDirectory } from '../recorder/watch.ts'
import { type Claims, openClaims } from './claims.ts'
import { type Hooks, openPool, type Pool } from './pool.ts'
import type { Say, Work } from './work.ts'

export interface ResponderOptions {
  readonly place: Place
  readonly name: string
  readonly work: Work
  readonly hooks: Hooks
  readonly say: Say
  readonly parallelMax: number
  readonly tries: number
  readonly polling?: boolean
}

export interface Responder {
  /** Resolves when it acts: at once, or when the one before it is gone. */
  readonly acts: Promise<void>
  /** Rejects when it must act no more, with the reason. */
  readonly ended: Promise<never>
  /** A request that came another way: on disk like the others, and carried out with them. */
  submit(request: Request): Promise<Response | undefined>
  close(): Promise<void>
}

const lockName = 'responder.lock'
const askLockEveryMs = 200
const sweepEveryMs = 10_000
/** What is over for so long nobody waits for any more. */
const overMs = 30_000
/** How long a request may stay half written: others write it where it is looked for. */
const settleMs = 500
const settleEveryMs = 20

export function startResponder(options: ResponderOptions): Responder {
  const { place, say } = options
  const stop = new AbortController()
  let acting: Acting | undefined
  const lost = Promise.withResolvers<never>()
  lost.promise.catch(() => {})
  const acts = turnOf(place, say, stop.signal).then(async (claim) => {
    if (claim !== undefined) acting = await act(options, claim, lost.reject)
  })
  return {
    acts,
    ended: lost.promise,
    async submit(request) {
      await acts
      return await acting?.submit(request)
    },
    async close() {
      stop.abort()
      await acts.catch(() => {})
      const own = acting
      acting = undefined
      await own?.close()
    },
  }
}

/** Waits until no other responder acts here; `undefined` when nobody waits any more. */
async function turnOf(
  { dir }: Place,
  say: Say,
  signal: AbortSignal,
): Promise<FileClaim | undefined> {
  let told = ''
  while (!signal.aborted) {
    const claim = claimFile(join(dir, lockName))
    // It may have been taken away between its opening and its lock.
    if (claim.ok && claim.stands()) return claim
    if (claim.ok) {
      claim.release()
      continue
    }
    if (told !== claim.owner) {
      const who = claim.owner === '' ? 'Another responder' : `The responder ${claim.owner}`
      say('info', `${who} acts in ${dir}; this one waits until it is gone.`)
    }
    told = claim.owner
    await sleep(askLockEveryMs, undefined, { signal }).catch(() => {})
  }
  return undefined
}

interface Acting {
  submit(request: Request): Promise<Response | undefined>
  close(): Promise<void>
}

async function act(
  options: ResponderOptions,
  claim: FileClaim,
  lost: (error: Error) => void,
): Promise<Acting> {
  const { place, name, work, say } = options
  const claims = await openClaims(place)
  /** Where the lock is not there any more another one may be held, by somebody who acts. */
  const mayBegin = (): boolean => {
    if (claim.stands()) return true
    const because = `${join(place.dir, lockName)} of this process is not there any more`
    lost(new Error(`${because}: it acts no more, start it again`))
    return false
  }
  const pool = openPool({ ...options, claims, mayBegin })
  const desk = deskOf(options, pool)
  const alive = () =>
    beat(place, name, work.nodes()).catch((error: Error) =>
      say('alarm', `Nobody is told that a responder is here: ${error.message}.`),
    )
  const watch = watchDirectory(place.requests, desk.look, { polling: options.polling ?? false })
  await alive()
  const timers = [
    setInterval(() => void (mayBegin() && alive()), beatEveryMs),
    setInterval(() => void sweep(place, claims, say), sweepEveryMs),
  ]
  say('info', `${name} answers the requests in ${place.dir} (${watch.by()}).`)
  desk.look()
  return {
    submit: desk.submit,
    async close() {
      watch.close()
      for (const timer of timers) clearInterval(timer)
      await pool.close()
      await desk.settled()
      if (claim.stands()) await rm(join(place.dir, aliveFile), { force: true })
      claim.release()
    },
  }
}

/** Every file of the directory once: read, judged, taken up, answered. */
function deskOf({ place, say }: ResponderOptions, pool: Pool) {
  const atWork = new Map<string, Promise<void>>()
  const reported = new Set<string>()
  const answer = async (id: string, response: Response): Promise<void> => {
    const { success, action_performed: action, target_node: target, message } = response
    await put(place.responses, id, textOf(response))
    const what = `Request ${id} (${action} ${target || 'nobody'})`
    say(success ? 'info' : 'warn', `${what} ${success ? 'is done' : 'failed'}: ${message}`)
  }
  const refuse = async (id: string, because: string, hostile: boolean): Promise<void> => {
    // What is no file of ours is not kept: it may be without end.
    if (hostile) await rm(join(place.requests, fileName(id)), { recursive: true, force: true })
    const about = { action_performed: 'none', target_node: '', success: false }
    const timestamp = new Date().toISOString()
    await answer(id, { request_id: id, ...about, message: `Refused: ${because}`, timestamp })
  }
  const handle = async (id: string): Promise<void> => {
    const read = await settledRequest(join(place.requests, fileName(id)), id)
    if (read === undefined) return
    if ('because' in read) return await refuse(id, read.because, read.hostile)
    const response = await pool.take(read.request)
    if (response !== undefined) await answer(id, response)
  }
  const see = (name: string): void => {
    const id = idIn(name)
    if (id === undefined) {
      if (!name.endsWith('.tmp') && !name.startsWith('.') && reported.size < 100) {
        if (!reported.has(name)) say('warn', `${JSON.stringify(name)} is no request: it is left.`)
        reported.add(name)
      }
      return
    }
    if (atWork.has(id) || isAnswered(place, id)) return
    const work = handle(id)
      .catch((error: Error) => say('alarm', `Request ${id} is not answered: ${error.message}.`))
      .finally(() => atWork.delete(id))
    atWork.set(id, work)
  }
  const lookAtAll = async (): Promise<void> => {
    for (const name of await readdir(place.requests)) see(name)
  }
  return {
    look(name?: string): void {
      if (name !== undefined) return see(name)
      void lookAtAll().catch((error: Error) =>
        say('alarm', `The requests in ${place.requests} cannot be read: ${error.message}.`),
      )
    },
    async submit(request: Request): Promise<Response | undefined> {
      const id = request.request_id
      const work = pool.take(request)
      const own = put(place.requests, id, textOf(request)).then(async () => {
        const response = await work
        if (response !== undefined) await answer(id, response)
        await keep(place, id)
      })
      atWork.set(
        id,
        own
          .catch((error: Error) => say('alarm', `Request ${id} is not kept: ${error.message}.`))
          .finally(() => atWork.delete(id)),
      )
      return await work
    },
    settled: async () => void (await Promise.all(atWork.values())),
  }
}

function isAnswered(place: Place, id: string): boolean {
  return lstatSync(join(place.responses, fileName(id)), { throwIfNoEntry: false }) !== undefined
}

type Settled =
  | { readonly request: Request }
  | { readonly because: string; readonly hostile: boolean }

/** The request in a file; one that is half written is given a moment. */
async function settledRequest(path: string, id: string): Promise<Settled | undefined> {
  const untilMs = performance.now() + settleMs
  for (;;) {
    const text = readText(path)
    if (text === undefined) return undefined
    if (!text.ok) return { because: text.because, hostile: true }
    const read = readRequest(text.text, id)
    if (read.ok) return { request: read.value }
    const { because } = read
    if (!read.partial || performance.now() > untilMs) return { because, hostile: false }
    await sleep(settleEveryMs)
  }
}

/** Puts aside what is over: whoever waited for it was killed, or has forgotten it. */
async function sweep(place: Place, claims: Claims, say: Say): Promise<void> {
  try {
    const names = [...(await readdir(place.requests)), ...(await readdir(place.responses))]
    for (const id of new Set(names.flatMap((name) => idIn(name) ?? []))) {
      const read = readText(join(place.requests, fileName(id)))
      const request = read?.ok ? readRequest(read.text, id) : undefined
      const untilMs = request?.ok ? deadlineOf(request.value, Date.now()) : undefined
      // Without its request a response waits for nobody but a recorder that is about to read it.
      if (untilMs === undefined && !isOld(join(place.responses, fileName(id)))) continue
      if (typeof untilMs === 'number' && untilMs + overMs > Date.now()) continue
      await keep(place, id)
    }
    // Half a request of an agent that was killed, or half a response.
    for (const dir of [place.requests, place.responses]) {
      const halves = (await readdir(dir)).filter((name) => name.endsWith('.tmp'))
      for (const path of halves.map((name) => join(dir, name))) {
        if (isOld(path)) await rm(path, { recursive: true, force: true })
      }
    }
    await prune(place.kept, keptMax)
    await claims.tidy()
  } catch (error) {
    say('warn', `What is over is not put aside: ${(error as Error).message}.`)
  }
}

function isOld(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false })
  return found !== undefined && found.mtimeMs + overMs < Date.now()
}
