/**
 * The core's state as JSON and back, exactly. JSON alone would turn `Infinity` into null, drop
 * `undefined`, and empty every Map, and a replay from such a state would go another way.
 */

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** Plain data (objects, arrays, Maps, Sets, primitives) as JSON. Anything else is refused. */
export function encode(value: unknown): Json {
  switch (typeof value) {
    case 'boolean':
    case 'string':
      return value
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : { $number: Object.is(value, -0) ? '-0' : String(value) }
    case 'undefined':
      return { $undefined: true }
    case 'object':
      return value === null ? null : encodeObject(value)
    default:
      throw new TypeError(`a state cannot hold a ${typeof value}`)
  }
}

function encodeObject(value: object): Json {
  if (Array.isArray(value)) return value.map(encode)
  if (value instanceof Map)
    return { $map: [...value].map(([key, of]) => [encode(key), encode(of)]) }
  if (value instanceof Set) return { $set: [...value].map(encode) }
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) {
    throw new TypeError(`a state cannot hold a ${value.constructor?.name}`)
  }
  const entries = Object.entries(value).map(([key, of]) => [key, encode(of)] as const)
  // An object that looks like one of our marks is written as a list of its entries.
  if (entries.some(([key]) => key.startsWith('$'))) return { $object: entries }
  return Object.fromEntries(entries)
}

/** What `encode` was given. */
export function decode(json: unknown): unknown {
  if (json === null || typeof json !== 'object') return json
  if (Array.isArray(json)) return json.map(decode)
  const entries = Object.entries(json)
  const mark = entries[0]
  if (mark?.[0].startsWith('$')) return decodeMark(mark[0], mark[1])
  return Object.fromEntries(entries.map(([key, of]) => [key, decode(of)]))
}

function decodeMark(mark: string, of: unknown): unknown {
  switch (mark) {
    case '$undefined':
      return undefined
    case '$number':
      return Number(of)
    case '$map':
      return new Map(pairs(of).map(([key, value]) => [decode(key), decode(value)]))
    case '$set':
      return new Set(Array.isArray(of) ? of.map(decode) : [])
    case '$object':
      return Object.fromEntries(pairs(of).map(([key, value]) => [key, decode(value)]))
    default:
      throw new TypeError(`unknown mark ${mark}: written by another version`)
  }
}

function pairs(of: unknown): readonly (readonly [PropertyKey, unknown])[] {
  return Array.isArray(of) ? of.filter((pair) => Array.isArray(pair) && pair.length === 2) : []
}
