/**
 * For tests: freeze what a core returns, so that a mutation throws where it happens, and send what
 * it says through JSON, so that nothing relies on what a wire or a disk would not keep.
 */

/** Freeze a value and all that it holds. What is frozen already is not walked again. */
export function freezeDeep(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return
  if (value instanceof Map || value instanceof Set) {
    throw new TypeError('a Map or Set in the state cannot be frozen; use a record')
  }
  Object.freeze(value)
  for (const part of Object.values(value)) freezeDeep(part)
}

/** The value as it looks after a wire or a disk, which know neither Infinity nor a Map. */
export function throughJson<T>(value: T): T {
  const text = JSON.stringify(value, (key, part: unknown) => {
    if (typeof part === 'number' && !Number.isFinite(part)) {
      throw new TypeError(`${key} is ${part}, which JSON cannot keep`)
    }
    if (part instanceof Map || part instanceof Set) {
      throw new TypeError(`${key} is a Map or Set, which JSON cannot keep`)
    }
    return part
  })
  return JSON.parse(text) as T
}
