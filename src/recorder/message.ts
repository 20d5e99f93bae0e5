/**
 * The two files by which a recorder and a responder speak, as values: a request, and the response
 * that answers it. Reading is strict where a mistake would fence the wrong node or believe the
 * wrong answer, and lenient beside that: fields that nobody here knows are left alone.
 *
 * What has no `deadline` was written by somebody who knows of none: it ends a minute after its
 * `timestamp`, which is how long a recorder waits when nobody says otherwise.
 */
import { printable } from '../foreign/printable.ts'

export const actions = ['off', 'on', 'reboot', 'status'] as const
export type Action = (typeof actions)[number]

/** What an event of the logs may be about as well. */
export interface Request {
  readonly request_id: string
  /** ISO 8601. */
  readonly timestamp: string
  readonly action: Action
  readonly target_node: string
  /** `["unknown"]` where nobody could tell; empty where there are none. */
  readonly gfs2_filesystems: readonly string[]
  readonly recorder_node: string
  /** ISO 8601: after it the request is not carried out. */
  readonly deadline?: string
  /** Two requests with one key are one. */
  readonly idempotency_key?: string
  /** From -100 to 100; what is higher comes first. */
  readonly priority?: number
  /** The process that waits for the response: when it has ended, nobody does. */
  readonly requester?: ProcessMark
}

/** A process as nobody else can be it later; `place` is where its number means it. */
export interface ProcessMark {
  readonly pid: number
  readonly started: string
  readonly place: string
}

export interface Response {
  readonly request_id: string
  readonly success: boolean
  readonly action_performed: string
  readonly target_node: string
  readonly message: string
  readonly timestamp: string
  /** The power that was read, where `status` was asked for. */
  readonly power?: 'on' | 'off' | 'unknown'
  readonly evidence?: unknown
}

export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly because: string; readonly partial?: true }

/** How long a recorder waits when nobody says otherwise, and what has no deadline is good for. */
export const defaultTimeoutMs = 60_000
/** Nobody asks for anything that is to be done later than this. */
export const deadlineMaxMs = 3_600_000
/** Longer than any file of either kind. */
export const fileBytesMax = 64 * 2 ** 10

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const nodeName = /^(?!\.{1,2}$)[A-Za-z0-9_.-]{1,255}$/
const filesystemsMax = 256
const priorityMax = 100
/** Two machines that share a directory have two clocks. */
const clockSlackMs = 60_000

export const isRequestId = (text: string): boolean => uuid.test(text)
export const isNodeName = (text: string): boolean => nodeName.test(text)

export function isAction(text: unknown): text is Action {
  return actions.some((action) => action === text)
}

/** The id in the name of a file; `undefined` for every other file. */
export function idIn(name: string): string | undefined {
  const id = name.endsWith('.json') ? name.slice(0, -'.json'.length) : ''
  return isRequestId(id) ? id : undefined
}

export const fileName = (id: string): string => `${id}.json`

/** A request as it stands in a file; `id` is the one in the file's name, where it has one. */
export function readRequest(text: string, id?: string): Read<Request> {
  const parsed = objectIn(text)
  if (!parsed.ok) return parsed
  return requestFrom(parsed.value, id)
}

/** A request from JSON that has been read already. */
export function requestFrom(fields: Fields, id?: string): Read<Request> {
  const { request_id, timestamp, action, target_node, recorder_node = '' } = fields
  if (typeof request_id !== 'string' || !isRequestId(request_id)) {
    return no('its request_id is no UUID in small letters')
  }
  if (id !== undefined && request_id !== id) return no('its request_id is not that of its file')
  if (!isAction(action)) return no(`its action is none of ${actions.join(', ')}`)
  if (typeof target_node !== 'string' || !isNodeName(target_node)) {
    return no('its target_node is no name of a node')
  }
  if (!isInstant(timestamp)) return no('its timestamp is no time in ISO 8601')
  if (!isWord(recorder_node, 0)) return no('its recorder_node is no name')
  const filesystems = fields.gfs2_filesystems ?? []
  if (!isList(filesystems)) return no('its gfs2_filesystems is no list of names')
  const more = ours(fields)
  if (typeof more === 'string') return no(more)
  const request = { request_id, timestamp, action, target_node, recorder_node, ...more }
  return { ok: true, value: { ...request, gfs2_filesystems: filesystems } }
}

type Ours = Pick<Request, 'deadline' | 'idempotency_key' | 'priority' | 'requester'>

/** The fields that only we write; a sentence where one of them makes no sense. */
function ours({ deadline, idempotency_key, priority, requester }: Fields): Ours | string {
  if (deadline !== undefined && !isInstant(deadline)) return 'its deadline is no time in ISO 8601'
  if (idempotency_key !== undefined && !isWord(idempotency_key, 1)) {
    return 'its idempotency_key is no text of at most 255 characters'
  }
  if (priority !== undefined && !isPriority(priority)) {
    return `its priority is no whole number from -${priorityMax} to ${priorityMax}`
  }
  if (requester !== undefined && !isProcess(requester)) return 'its requester is no process'
  return {
    ...(requester !== undefined && { requester }),
    ...(deadline !== undefined && { deadline }),
    ...(idempotency_key !== undefined && { idempotency_key }),
    ...(priority !== undefined && { priority }),
  }
}

/** A response, and whether it answers this very request. */
export function readResponse(text: string, request: Request): Read<Response> {
  const parsed = objectIn(text)
  if (!parsed.ok) return parsed
  const { request_id, success, action_performed, target_node, power } = parsed.value
  const { action, target_node: target } = request
  if (request_id !== request.request_id) return no('it answers another request')
  if (target_node !== target) return no(`it is about ${quoted(target_node)}, not about ${target}`)
  if (action_performed !== action) {
    return no(`it tells of ${quoted(action_performed)}, and ${action} was asked for`)
  }
  if (typeof success !== 'boolean') return no('its success is neither true nor false')
  const { message = '', timestamp = '', evidence } = parsed.value
  return {
    ok: true,
    value: {
      ...{ request_id, success, action_performed: action, target_node: target },
      message: printable(typeof message === 'string' ? message : '', 1_000),
      timestamp: isInstant(timestamp) ? timestamp : '',
      ...((power === 'on' || power === 'off') && { power }),
      ...(evidence !== undefined && { evidence }),
    },
  }
}

/** Until when a request may be carried out, in milliseconds since 1970; or why never. */
export function deadlineOf(request: Request, nowMs: number): number | string {
  const { timestamp, deadline } = request
  const writtenMs = Date.parse(timestamp)
  const untilMs = deadline === undefined ? writtenMs + defaultTimeoutMs : Date.parse(deadline)
  if (writtenMs > nowMs + clockSlackMs) {
    return 'its timestamp lies ahead: set the clocks, of the recorder and of this machine'
  }
  if (untilMs > nowMs + deadlineMaxMs + clockSlackMs) {
    return `its deadline is more than ${deadlineMaxMs / 60_000} minutes ahead`
  }
  return untilMs
}

export const textOf = (message: Request | Response): string => `${JSON.stringify(message)}\n`

type Fields = Readonly<Record<string, unknown>>

function objectIn(text: string): Read<Fields> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { ok: false, because: 'it is no whole JSON', partial: true }
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return { ok: true, value: value as Fields }
  }
  return no('it is JSON, and no object')
}

const no = (because: string) => ({ ok: false, because }) as const

function quoted(value: unknown): string {
  return typeof value === 'string' ? `"${printable(value, 64)}"` : 'nothing that is named'
}

function isInstant(value: unknown): value is string {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(value)) return false
  return value.length <= 40 && Number.isFinite(Date.parse(value))
}

function isWord(value: unknown, lengthMin: number): value is string {
  if (typeof value !== 'string' || value.length > 255) return false
  return value.length >= lengthMin && !/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(value)
}

function isList(value: unknown): value is readonly string[] {
  return (
    Array.isArray(value) && value.length <= filesystemsMax && value.every((one) => isWord(one, 1))
  )
}

/** Is it what tells of a process? */
export function isProcess(value: unknown): value is ProcessMark {
  if (typeof value !== 'object' || value === null) return false
  const { pid, started, place } = value as Record<string, unknown>
  return Number.isSafeInteger(pid) && Number(pid) > 0 && isWord(started, 1) && isWord(place, 1)
}

function isPriority(value: unknown): value is number {
  return Number.isInteger(value) && Math.abs(value as number) <= priorityMax
}
