/**
 * What a responder has taken up, on disk before it is carried out: whoever comes after it, in the
 * same place or in another life, finds there that it was begun, and what came of it. A request that
 * is asked twice, by its id or by its key, is carried out once.
 */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  defaultTimeoutMs,
  fileName,
  idIn,
  type Request,
  type Response,
  requestFrom,
} from '../recorder/message.ts'
import { type Place, put, readText } from '../recorder/place.ts'

export interface Claim {
  readonly request: Request
  /** What came of it; `undefined`: it was begun, and nobody knows how it ended. */
  readonly response?: Response
}

export interface Claims {
  /** What is known of a request, by its id or by its key. */
  of(request: Request): Claim | undefined
  /** Was it begun, as far as anybody can tell, and nobody knows more? */
  isDamaged(request: Request): boolean
  /** So many are known that no more may be begun: all of them may still be asked for. */
  isFull(): boolean
  /** Durable before anything is done. */
  begin(request: Request): Promise<void>
  end(request: Request, response: Response): Promise<void>
  /** Forgets the oldest of those that nobody can ask for any more. */
  tidy(max?: number): Promise<void>
}

/** So many are kept of those that are over. */
const claimsMax = 4_000
/** Nobody has so many nodes that he asks for more while all of these may be asked for again. */
const claimsFull = 20_000

export async function openClaims(place: Place): Promise<Claims> {
  const byId = new Map<string, Claim>()
  const byKey = new Map<string, Claim>()
  const know = (claim: Claim) => {
    byId.set(claim.request.request_id, claim)
    byKey.set(keyOf(claim.request), claim)
  }
  const damaged = new Set<string>()
  for (const name of await readdir(place.claims)) {
    const id = idIn(name)
    if (id === undefined) continue
    const claim = claimAt(join(place.claims, name), id)
    if (claim === undefined) damaged.add(id)
    else know(claim)
  }
  const save = async (claim: Claim): Promise<void> => {
    const { request, response } = claim
    know(claim)
    const text = `${JSON.stringify({ ...request, claim: { response } })}\n`
    await put(place.claims, request.request_id, text)
  }
  return {
    of: (request) => byId.get(request.request_id) ?? byKey.get(keyOf(request)),
    begin: (request) => save({ request }),
    end: (request, response) => save({ request, response }),
    isDamaged: ({ request_id }) => damaged.has(request_id),
    isFull: () => byId.size >= claimsFull,
    async tidy(max = claimsMax) {
      const nowMs = Date.now()
      const old = [...byId.values()].slice(0, Math.max(0, byId.size - max))
      for (const { request } of old.filter((claim) => isOver(claim.request, nowMs))) {
        const { request_id } = request
        await rm(join(place.claims, fileName(request_id)), { recursive: true, force: true })
        byId.delete(request_id)
        if (byKey.get(keyOf(request))?.request === request) byKey.delete(keyOf(request))
      }
    },
  }
}

const endOf = ({ timestamp, deadline }: Request): number =>
  deadline === undefined ? Date.parse(timestamp) + defaultTimeoutMs : Date.parse(deadline)

/** A clock that is put right meanwhile shall bring nobody back. */
const overMs = 300_000
const isOver = (request: Request, nowMs: number): boolean => endOf(request) + overMs < nowMs

/** For so long after its deadline its result is told to whoever asks once more. */
const recalledMs = 3_600_000

/** Is its result so old that it says nothing of now? */
export const isHistory = ({ request }: Claim, nowMs: number): boolean =>
  endOf(request) + recalledMs < nowMs

const keyOf = ({ request_id, idempotency_key }: Request): string => idempotency_key ?? request_id

/** A file of ours; `undefined` where it tells nothing. */
function claimAt(path: string, id: string | undefined): Claim | undefined {
  const read = id === undefined ? undefined : readText(path)
  if (read === undefined || !read.ok) return undefined
  try {
    const fields = JSON.parse(read.text) as Record<string, unknown>
    const request = requestFrom(fields, id)
    if (!request.ok) return undefined
    const { response } = Object(fields.claim) as { response?: Response }
    return response === undefined
      ? { request: request.value }
      : { request: request.value, response }
  } catch {
    return undefined
  }
}

/** The same result, as the answer to another request that means the same. */
export function answerTo(request: Request, response: Response): Response {
  return { ...response, request_id: request.request_id }
}

/** Do these two ask for one thing? A key that is used for something else is a mistake. */
export function isSame(a: Request, b: Request): boolean {
  return a.action === b.action && a.target_node === b.target_node
}
