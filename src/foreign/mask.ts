/**
 * Keeps secrets out of every text that leaves the fencing code: logs, errors, evidence (F11).
 *
 * Foreign words are masked where they come in, for every secret. Whole lines, in which Picket's own
 * words stand too, pass a second net that leaves out the secrets that could be such a word: with
 * the password `off` it would destroy the evidence, and tell the password by its gaps.
 *
 * The values are known, so they are searched for by value, in the forms in which devices and
 * libraries echo them. Shape-based guessing ("looks like a token") would miss the short ones.
 */
import type { z } from 'zod'
import { CUT, printable } from './printable.ts'

export type Mask = (text: string) => string

/** `field`: the name of the field that holds the text, where there is one. */
export type Net = (text: string, field?: string) => string

const STARS = '*****'

/** A function that replaces every one of these secrets in a text, also in encoded form. */
export function createMask(secrets: Iterable<string>): Mask {
  const forms = new Set<string>()
  for (const secret of secrets) {
    if (secret === '') continue
    forms.add(secret)
    // As it is printed, with its blanks drawn together.
    forms.add(printable(secret, Number.POSITIVE_INFINITY))
    forms.add(encodeURIComponent(secret.toWellFormed()))
    forms.add(JSON.stringify(secret).slice(1, -1))
    forms.add(Buffer.from(secret).toString('base64'))
    forms.add(Buffer.from(secret).toString('hex'))
  }
  forms.delete('')
  // The longest first: a secret that contains another one must not leave its rest behind.
  const patterns = [...forms].sort((a, b) => b.length - a.length)
  return (text) =>
    cutOnesMasked(
      patterns.reduce((masked, form) => masked.replaceAll(form, STARS), text),
      patterns,
    )
}

/** Less of a secret than this is no part of it any more. */
const REST_MIN = 3

/** The same text without the beginning of a secret where it was cut before it came here. */
function cutOnesMasked(text: string, patterns: readonly string[]): string {
  if (!text.includes(CUT)) return text
  const parts = text.split(CUT)
  const last = parts.pop() ?? ''
  return [...parts.map((part) => withoutRest(part, patterns)), last].join(CUT)
}

function withoutRest(text: string, patterns: readonly string[]): string {
  let rest = 0
  for (const form of patterns) {
    for (let length = Math.min(form.length - 1, text.length); length > rest; length--) {
      if (length >= REST_MIN && text.endsWith(form.slice(0, length))) rest = length
    }
  }
  return rest === 0 ? text : `${text.slice(0, -rest)}${STARS}`
}

/** Fields that hold our own vocabulary, names from the config and ids, and nothing foreign. */
const ownFields: ReadonlySet<string> = new Set([
  ...['time', 'what', 'id', 'fencing', 'cluster', 'target', 'node', 'owner', 'by', 'device'],
  ...['driver', 'resource', 'action', 'button', 'power', 'outcome', 'standing', 'was'],
])

/** The second net, over whole lines and over fields: it spares what could be a word of ours. */
export function createNet(secrets: Iterable<string>): Net {
  const mask = createMask([...secrets].filter(isHidable))
  return (text, field) => (field !== undefined && ownFields.has(field) ? text : mask(text))
}

/** Is it too long, or too odd, to be mistaken for a word of ours? */
export function isHidable(secret: string): boolean {
  return secret.length >= 8 || (secret.length >= 5 && /[^a-z]/.test(secret))
}

/** The values of all options that their schema marks with `.meta({ secret: true })`. */
export function secretsOf(schema: z.ZodObject, options: unknown): string[] {
  const values: Record<string, unknown> =
    typeof options === 'object' && options !== null ? { ...options } : {}
  return Object.entries(schema.shape)
    .filter(([, option]) => option.meta()?.secret === true)
    .flatMap(([name]) => leavesOf(values[name]))
}

/** The plain values in a value, however deep they stand. */
function leavesOf(value: unknown): string[] {
  if (value === undefined || value === null) return []
  return typeof value === 'object' ? Object.values(value).flatMap(leavesOf) : [String(value)]
}
