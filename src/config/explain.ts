/**
 * What a schema finds wrong, as sentences: the name, the offending value, and what is allowed. A
 * value that may be a secret is never repeated.
 */
import type { z } from 'zod'
import { shown } from './problem.ts'
import { didYouMean } from './suggest.ts'
import type { Path } from './yaml.ts'

type Issue = z.core.$ZodIssue

/** One finding: where in the value, whether the key itself is meant, and the sentence. */
export interface Finding {
  readonly path: Path
  readonly atKey: boolean
  readonly message: string
}

const kinds: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map (key: value)',
  record: 'a map (key: value)',
}

/** Turn one issue into findings; `keysAt` tells which keys the schema knows at a path. */
export function explain(
  issue: Issue,
  value: unknown,
  prefix: string,
  options: { readonly secret: boolean; readonly keysAt: (path: Path) => readonly string[] },
): readonly Finding[] {
  const { path } = issue
  if (issue.code === 'unrecognized_keys') {
    const known = options.keysAt(path)
    return issue.keys.map((key) => {
      const unknown = nameOf([...path, key], prefix)
      const hint = didYouMean(key, known) || ` Known here: ${known.join(', ')}.`
      return { path: [...path, key], atKey: true, message: `there is no option ${unknown}.${hint}` }
    })
  }
  const name = nameOf(path, prefix)
  // Its value may be a secret that stands in the wrong place, and is right for all we know.
  if (issue.code === 'invalid_key') {
    return [{ path, atKey: true, message: keySentence(issue, prefix, options.secret) }]
  }
  const given = valueAt(value, path)
  const allowed = allowedOf(issue, options.secret ? undefined : given)
  if (given === undefined && issue.code === 'invalid_type') {
    const wanted = isOwn(issue.message) ? issue.message : allowed
    return [{ path, atKey: true, message: `${name} is missing; write ${wanted}` }]
  }
  const got = options.secret ? '(secret)' : shown(given)
  const shownGiven = options.secret ? undefined : given
  return [{ path, atKey: false, message: sentence(issue, name, shownGiven, got) }]
}

function keySentence(
  { issues: [inner], path }: z.core.$ZodIssueInvalidKey,
  prefix: string,
  secret: boolean,
): string {
  const name = secret ? `a name in ${nameOf(path.slice(0, -1), prefix)}` : nameOf(path, prefix)
  if (inner === undefined) return `${name} cannot be used`
  const key = path.at(-1)
  return sentence(inner as Issue, name, undefined, secret ? '(secret)' : shown(key))
}

/** A schema's own words are either a predicate ("is too long"), a sentence, or what to write. */
function sentence(issue: Issue, name: string, given: unknown, got: string): string {
  const { message } = issue
  if (message.startsWith('is ')) return `${name} ${bracketed(got)} ${message}`
  if (issue.code === 'custom') return name === nameOf([]) ? message : `${name}: ${message}`
  return `${name} is ${got}; write ${isOwn(message) ? message : allowedOf(issue, given)}`
}

/** Is it not one of the library's? */
function isOwn(message: string): boolean {
  return !/^(Invalid|Too |Unrecognized)/.test(message)
}

function bracketed(text: string): string {
  return text.startsWith('(') ? text : `(${text})`
}

/** What would be right, to be read after "write". */
function allowedOf(issue: Issue, given: unknown): string {
  switch (issue.code) {
    case 'invalid_type': {
      const kind = kinds[issue.expected] ?? issue.expected
      if (kind === 'a number' || kind === 'a whole number') return numberHint(kind, given)
      return `${kind}${exampleOf(kind, given)}`
    }
    case 'invalid_value':
      return oneOf(issue.values.map(String))
    case 'too_small':
      return bound(
        issue.origin,
        issue.inclusive === false ? 'more than' : 'at least',
        issue.minimum,
      )
    case 'too_big':
      return bound(issue.origin, issue.inclusive === false ? 'less than' : 'at most', issue.maximum)
    case 'invalid_union':
      return oneOf(
        issue.errors.flatMap(([first]) => (first === undefined ? [] : [allowedOf(first, given)])),
      )
    case 'invalid_element':
      return issue.issues[0] === undefined ? issue.message : allowedOf(issue.issues[0], given)
    case 'not_multiple_of':
      return `a multiple of ${issue.divisor}`
    case 'invalid_format':
      return issue.format === 'regex' ? `a text that fits ${issue.pattern}` : `a ${issue.format}`
    default:
      return issue.message
  }
}

/** `30s` where a number of seconds stands: the unit is in the option's name. */
function numberHint(kind: string, given: unknown): string {
  const written = typeof given === 'string' ? /^\s*(\d+(?:\.\d+)?)\s*[a-z]*\s*$/i.exec(given) : null
  return written === null ? kind : `${kind}, e.g. ${written[1]}; the unit stands in the name`
}

/** What was written, in the form in which it would be right. */
function exampleOf(kind: string, given: unknown): string {
  const plain = ['string', 'number', 'boolean'].includes(typeof given)
  if (kind === 'a list' && plain) return `, e.g. [${shown(String(given))}]`
  if (kind === 'a text' && plain) return `, e.g. ${shown(String(given))}`
  return ''
}

function bound(origin: string, relation: string, limit: number | bigint): string {
  const s = Number(limit) === 1 ? '' : 's'
  if (origin === 'string') return `a text of ${relation} ${limit} character${s}`
  if (origin === 'array') return `a list of ${relation} ${limit} item${s}`
  if (origin === 'map' || origin === 'object' || origin === 'record') {
    return `a map of ${relation} ${limit} entries`
  }
  return `a number of ${relation} ${limit}`
}

function oneOf(values: readonly string[]): string {
  const unique = [...new Set(values)]
  const last = unique.pop()
  return unique.length === 0 ? (last ?? 'something else') : `${unique.join(', ')} or ${last}`
}

/** `cluster.nodes[0].name`, as people write it. */
export function nameOf(path: Path, prefix = ''): string {
  let name = prefix
  for (const part of path) {
    if (typeof part === 'number') name += `[${part}]`
    else name += name === '' ? String(part) : `.${String(part)}`
  }
  return name === '' ? 'this' : name
}

/** The value at a path, through own properties only. */
export function valueAt(value: unknown, path: Path): unknown {
  let at = value
  for (const part of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined
    at = (at as Record<PropertyKey, unknown>)[part]
  }
  return at
}
