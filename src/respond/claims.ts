/**
 * What a responder has taken up, on disk before it is carried out: whoever comes after it, in the
 * same place or in another life, finds there that it was begun, and what came of it. A request that
 * is asked twice, by its id or by its key, is carried out once.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { idIn, type Request, type Response, requestFrom } from '../recorder/message.ts'
import { type Place, prune, put, readText } from '../recorder/place.ts'

export interface Claim {
  readonly request: Request
  /** What came of it; `undefined`: it was begun, and nobody knows how it ended. */
  readonly response?: Response
}

export interface Claims {
  /** What is known of a request, by its id or by its key. */
  of(request: Request): Claim | undefined
  /** Durable before anything is done. */
  begin(request: Request): Promise<void>
  end(request: Request, response: Response): Promise<void>
  /** Forgets the oldest of those that nobody can ask for any more. */
  tidy(): Promise<void>
}

/** Far more than can be asked for within the hour for which a request may be good. */
const claimsMax = 4_000

export async function openClaims(place: Place): Promise<Claims> {
  const byId = new Map<string, Claim>()
  const byKey = new Map<string, Claim>()
  const know = (claim: Claim) => {
    byId.set(claim.request.request_id, claim)
    byKey.set(keyOf(claim.request), claim)
  }
  for (const name of await readdir(place.claims)) {
    const claim = claimAt(join(place.claims, name), idIn(name))
    if (claim !== undefined) know(claim)
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
    async tidy() {
      await prune(place.claims, claimsMax)
      const old = [...byId.values()].slice(0, Math.max(0, byId.size - claimsMax))
      for (const { request } of old) {
        byId.delete(request.request_id)
        byKey.delete(keyOf(request))
      }
    },
  }
}

const keyOf = ({ request_id, idempotency_key }: Request): string => idempotency_key ?? request_id

/** A file of ours; what cannot be read says that something was begun, and nothing else. */
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
