/**
 * Small readers that turn bytes from strangers into values of a type, or refuse them. What comes
 * out is a copy that holds the known fields only, so that nothing unknown travels further.
 */

/** Takes a value from outside; throws `Mismatch` when it is not what is expected. */
export type Reader<T> = (value: unknown, path: string) => T

/** Why a value was refused, with the path to it. */
export class Mismatch extends Error {
  override readonly name = 'Mismatch'
}

/** As long as a path may be, because a resource may be a program. */
const nameLengthMax = 4_096
/** No message is longer. */
const textLengthMax = 1 << 20
const entriesMax = 10_000

function refuse(path: string, expected: string): never {
  throw new Mismatch(`${path || 'it'} is not ${expected}`)
}

function strings(lengthMax: number, expected: string): Reader<string> {
  return (value, path) =>
    typeof value === 'string' && value.length <= lengthMax ? value : refuse(path, expected)
}

const shortText = strings(nameLengthMax, `a text of at most ${nameLengthMax} characters`)

/** An id, a name, a fingerprint; never one that every object of the language has already. */
export const name: Reader<string> = (value, path) => {
  const read = shortText(value, path)
  return read in {} ? refuse(path, 'a name that something can have') : read
}
/** A sentence, or a raw reading. */
export const text = strings(textLengthMax, `a text of at most ${textLengthMax} characters`)

export const flag: Reader<boolean> = (value, path) =>
  typeof value === 'boolean' ? value : refuse(path, 'true or false')

export const number: Reader<number> = (value, path) =>
  typeof value === 'number' && Number.isFinite(value) ? value : refuse(path, 'a number')

export const integer: Reader<number> = (value, path) =>
  Number.isSafeInteger(value) ? (value as number) : refuse(path, 'an integer')

/** One of a closed set of words. */
export function oneOf<const Word extends string>(words: readonly Word[]): Reader<Word> {
  return (value, path) =>
    words.find((word) => word === value) ?? refuse(path, `one of ${words.join(', ')}`)
}

/** Either `first`, or what `then` reads. */
export function orElse<A, B>(first: Reader<A>, then: Reader<B>): Reader<A | B> {
  return (value, path) => {
    try {
      return first(value, path)
    } catch (error) {
      if (error instanceof Mismatch) return then(value, path)
      throw error
    }
  }
}

/** `undefined`, which JSON has no word for: the field is missing. */
export function optional<T>(reader: Reader<T>): Reader<T | undefined> {
  return (value, path) => (value === undefined ? undefined : reader(value, path))
}

export function list<T>(reader: Reader<T>): Reader<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value) || value.length > entriesMax) return refuse(path, 'a list')
    return value.map((each, index) => reader(each, `${path}[${index}]`))
  }
}

/** An object with known fields; others are left out. */
export function object<T extends object>(
  fields: {
    readonly [Key in keyof T]-?: Reader<T[Key]>
  },
): Reader<T> {
  const entries = Object.entries(fields) as [string, Reader<unknown>][]
  return (value, path) => {
    const given = plain(value, path)
    const known = entries.map(([key, read]) => {
      const own = Object.hasOwn(given, key) ? given[key] : undefined
      return [key, read(own, path === '' ? key : `${path}.${key}`)] as const
    })
    return Object.fromEntries(known) as T
  }
}

/** An object whose keys are names. */
export function record<T>(reader: Reader<T>): Reader<Readonly<Record<string, T>>> {
  return (value, path) => {
    const given = Object.entries(plain(value, path))
    if (given.length > entriesMax) return refuse(path, `of at most ${entriesMax} entries`)
    const known = given.map(([key, each]) => {
      return [name(key, path), reader(each, `${path}.${key.slice(0, 64)}`)] as const
    })
    return Object.fromEntries(known)
  }
}

function plain(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse(path, 'an object')
  }
  return value as Record<string, unknown>
}
