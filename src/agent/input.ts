/**
 * What an agent was given, in either of its grammars: `name=value` lines on standard input, or
 * arguments as GNU getopt reads them. Nothing is judged here but the form.
 */
import { namesOf, type Parameter, truth } from './parameter.ts'

/** A value under the name by which it came. */
export interface Pair {
  readonly name: string
  readonly value: string
}

export interface Given {
  /** In the order in which they came. */
  readonly pairs: readonly Pair[]
  /** Sentences for standard error that stop nothing. */
  readonly warnings: readonly string[]
  /** Why nothing of it is used. */
  readonly error?: string
}

const plainName = (name: string): string => name.replaceAll('-', '_').toLowerCase()

/** `name=value`, line by line. */
export function pairsIn(text: string): readonly Pair[] {
  return text.split('\n').flatMap((raw): readonly Pair[] => {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) return []
    const at = line.indexOf('=')
    if (at < 0) return [{ name: plainName(line), value: '' }]
    const value = line.slice(at + 1)
    const quoted = value.length >= 2 && value.startsWith('"') && value.endsWith('"')
    return [
      { name: plainName(line.slice(0, at).trim()), value: quoted ? value.slice(1, -1) : value },
    ]
  })
}

/** Keeps what is known. A name alone is told of what is not: the value may be a secret. */
export function known(pairs: readonly Pair[], parameters: readonly Parameter[]): Given {
  const byName = new Map(parameters.flatMap((each) => namesOf(each).map((name) => [name, each])))
  const kept: Pair[] = []
  const warnings: string[] = []
  for (const pair of pairs) {
    const parameter = byName.get(pair.name)
    if (pair.name === 'nodename') kept.push(pair)
    else if (parameter === undefined) {
      warnings.push(`Parse error: Ignoring unknown option '${pair.name.slice(0, 60)}'`)
    } else if (parameter.type === 'boolean' && truth(pair.value) === undefined) {
      warnings.push(`Parse error: Ignoring option '${pair.name}': it is neither 1 nor 0`)
    } else kept.push(pair)
  }
  return { pairs: kept, warnings }
}

/** The arguments of a command line. */
export function pairsOf(args: readonly string[], parameters: readonly Parameter[]): Given {
  const pairs: Pair[] = []
  const words: string[] = []
  const rest = [...args]
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === '--') {
      words.push(...rest.splice(0))
    } else if (arg.startsWith('--')) {
      const error = longOption(arg.slice(2), rest, parameters, pairs)
      if (error !== undefined) return { pairs: [], warnings: [], error }
    } else if (arg.startsWith('-') && arg.length > 1) {
      const error = shortOptions(arg.slice(1), rest, parameters, pairs)
      if (error !== undefined) return { pairs: [], warnings: [], error }
    } else words.push(arg)
  }
  const left = words.length === 0 ? [] : [`Parse error: Unknown arguments: ${words.length} words`]
  return { pairs, warnings: left }
}

/** `--name=value`, `--name value`, and any beginning of a name that no other one has. */
function longOption(
  text: string,
  rest: string[],
  parameters: readonly Parameter[],
  pairs: Pair[],
): string | undefined {
  const at = text.indexOf('=')
  const name = plainName(at < 0 ? text : text.slice(0, at))
  const inline = at < 0 ? undefined : text.slice(at + 1)
  const found = meant(name, parameters)
  if (found.length !== 1) {
    const why = found.length === 0 ? 'not recognized' : 'not a unique prefix'
    return `Parse error: option --${name.slice(0, 60)} ${why}`
  }
  const [full = name] = found
  const isFlag = parameters.some((each) => namesOf(each).includes(full) && each.type === 'boolean')
  const value = inline ?? (isFlag ? '1' : rest.shift())
  if (value === undefined) return `Parse error: option --${full} requires argument`
  pairs.push({ name: full, value })
  return undefined
}

function meant(name: string, parameters: readonly Parameter[]): readonly string[] {
  const names = parameters.flatMap(namesOf)
  if (names.includes(name)) return [name]
  const begun = parameters.filter((each) => namesOf(each).some((own) => own.startsWith(name)))
  return begun.map((each) => namesOf(each).find((own) => own.startsWith(name)) ?? each.name)
}

/** `-n5`, `-n 5`, `-vvv`. */
function shortOptions(
  text: string,
  rest: string[],
  parameters: readonly Parameter[],
  pairs: Pair[],
): string | undefined {
  for (let at = 0; at < text.length; at++) {
    const letter = text[at] ?? ''
    const parameter = parameters.find((each) => each.letter === letter)
    if (parameter === undefined) return `Parse error: option -${letter} not recognized`
    const { name, type } = parameter
    if (type === 'boolean') {
      pairs.push({ name, value: '1' })
      continue
    }
    const value = text.slice(at + 1) || rest.shift()
    if (value === undefined) return `Parse error: option -${letter} requires argument`
    pairs.push({ name, value })
    return undefined
  }
  return undefined
}
