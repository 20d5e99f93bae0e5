/**
 * What a Redfish service says: JSON that may be anything, and refusals. Which refusals certainly
 * left the power alone is decided here.
 *
 * @see DMTF DSP0266, 8.6 (error responses); DSP8011 (the message registry Base).
 */
import { FenceError } from '../errors.ts'
import type { HttpAnswer } from '../http.ts'
import type { Kind } from '../wire.ts'

export type Resource = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is Resource {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The JSON object in a text; `undefined` for whatever else is there. */
export function objectOf(text: string): Resource | undefined {
  try {
    const found: unknown = JSON.parse(text)
    return isObject(found) ? found : undefined
  } catch {
    return undefined
  }
}

/** What the first message of an error or of a task says, with the name that vendors document. */
export function messageOf(told: Resource | undefined): string | undefined {
  const error = isObject(told?.error) ? told.error : told
  const list = error?.['@Message.ExtendedInfo'] ?? error?.Messages
  const first: unknown = Array.isArray(list) ? list[0] : list
  const { MessageId, Message } = isObject(first) ? first : {}
  const texts = [MessageId, Message, error?.message].filter((text) => typeof text === 'string')
  return texts.length === 0 ? undefined : texts.slice(0, 2).join(': ')
}

/**
 * An answer by which the device says no. To a command only a 4xx is a plain no: whatever is behind
 * a 5xx may have passed it on.
 */
export function refusalOf(
  { status, headers, body }: HttpAnswer,
  tell: (text: string) => string,
  kind: Kind,
): FenceError {
  const said = tell(messageOf(objectOf(body)) ?? body)
  const detail = `HTTP ${status} ${said}`.trim()
  if (status >= 300 && status < 400) {
    const to = `${detail}, a redirect to ${tell(headers.location ?? 'nowhere')}`
    return new FenceError('garbled', to, 'write the final address')
  }
  if (status >= 500 && kind === 'question') return new FenceError('busy', detail)
  if (status >= 500) return new FenceError('garbled', detail, fiveHundred)
  if (/PasswordChangeRequired/.test(said)) {
    return new FenceError('privilege', detail, 'log in by hand once and change the password')
  }
  const failure = plain[status]
  if (failure !== undefined) return new FenceError(failure, detail)
  return new FenceError(status >= 400 ? 'refused' : 'garbled', detail)
}

const fiveHundred = 'look whether the BMC restarts; until then count on a late effect'

const plain: Readonly<Record<number, 'auth' | 'privilege' | 'noSuchPlug' | 'locked' | 'busy'>> = {
  401: 'auth',
  403: 'privilege',
  404: 'noSuchPlug',
  423: 'locked',
  429: 'busy',
}
