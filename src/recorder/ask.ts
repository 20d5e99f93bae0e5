/**
 * One fencing by way of the directory: a request is written, its response is awaited, and both are
 * put aside. This is what the agent does for Pacemaker, the driver `recorder` for Picket's own
 * fencing, and everybody else who asks a responder for something.
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { self } from './alive.ts'
import {
  type Action,
  fileName,
  isProcess,
  type Request,
  type Response,
  readResponse,
  textOf,
} from './message.ts'
import { keep, keptMax, type Place, prune, put, readText } from './place.ts'
import { watchDirectory } from './watch.ts'

export interface Asking {
  readonly place: Place
  readonly action: Action
  readonly target: string
  readonly recorder: string
  readonly filesystems: readonly string[]
  readonly timeoutMs: number
  readonly priority?: number
  readonly idempotencyKey?: string
  /** Waits by looking alone. */
  readonly polling?: boolean
  /** Told once the request is there, and may be carried out from then on. */
  readonly written?: (request: Request) => void
  /** Told at once when there is an answer, before both files are put aside. */
  readonly seen?: () => void
  readonly signal?: AbortSignal
}

export type Answer =
  | { readonly ok: true; readonly request: Request; readonly response: Response }
  | { readonly ok: false; readonly request: Request; readonly because: string }

/** How long a response may stay half written: others write it where it is looked for. */
const settleMs = 500
const settleEveryMs = 20

/** What came of it. Throws where not even the request could be written: then nothing was asked. */
export async function ask(asking: Asking): Promise<Answer> {
  const { place, written = () => {}, seen = () => {} } = asking
  const request = requestOf(asking, Date.now())
  const awaiting = openAwaiting(asking, request)
  try {
    await put(place.requests, request.request_id, textOf(request))
    written(request)
    const ended = await awaiting.ended
    seen()
    return { request, ...ended }
  } finally {
    awaiting.close()
    await putAside(place, request.request_id)
  }
}

/**
 * What is over is nobody's to carry out any more, and what came of it may be looked into. Where the
 * disk does not let it the answer counts all the same; the responder puts it aside later.
 */
async function putAside(place: Place, id: string): Promise<void> {
  try {
    await keep(place, id)
    await prune(place.kept, keptMax)
  } catch {
    // Its deadline ends it.
  }
}

function requestOf(asking: Asking, nowMs: number): Request {
  const { action, target, filesystems, recorder, timeoutMs, priority, idempotencyKey } = asking
  const id = randomUUID()
  // Where /proc is missing nobody could tell whether it has ended.
  const own = self()
  return {
    request_id: id,
    timestamp: new Date(nowMs).toISOString(),
    action,
    target_node: target,
    gfs2_filesystems: filesystems,
    recorder_node: recorder,
    deadline: new Date(nowMs + timeoutMs).toISOString(),
    idempotency_key: idempotencyKey ?? id,
    priority: priority ?? 0,
    ...(isProcess(own) && { requester: own }),
  }
}

type Ended =
  | { readonly ok: true; readonly response: Response }
  | { readonly ok: false; readonly because: string }

/** Listens before the request is there, so that no answer is too fast. */
function openAwaiting({ place, timeoutMs, polling = false, signal }: Asking, request: Request) {
  const { promise: ended, resolve } = Promise.withResolvers<Ended>()
  const path = join(place.responses, fileName(request.request_id))
  let settling: NodeJS.Timeout | undefined
  let settleUntilMs = 0
  const look = (name?: string): void => {
    if (name !== undefined && name !== fileName(request.request_id)) return
    const read = readText(path)
    if (read === undefined) return
    const response = read.ok ? readResponse(read.text, request) : read
    if (response.ok && 'value' in response) return resolve({ ok: true, response: response.value })
    if (response.ok) return
    if ('partial' in response && response.partial) {
      settleUntilMs ||= performance.now() + settleMs
      if (performance.now() < settleUntilMs) {
        clearTimeout(settling)
        settling = setTimeout(look, settleEveryMs)
        return
      }
    }
    resolve({ ok: false, because: `the response is not believed: ${response.because}` })
  }
  const watch = watchDirectory(place.responses, look, { polling })
  const seconds = timeoutMs / 1_000
  const late = { ok: false, because: `timed out: no response within ${seconds} s` } as const
  const timer = setTimeout(() => resolve(late), timeoutMs)
  const given = () => resolve({ ok: false, because: 'nobody waits for it any more' })
  signal?.addEventListener('abort', given, { once: true })
  return {
    ended,
    close() {
      watch.close()
      clearTimeout(timer)
      clearTimeout(settling)
      signal?.removeEventListener('abort', given)
    },
  }
}
