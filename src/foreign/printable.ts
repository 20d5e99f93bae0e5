/** What a stranger says, as it may stand in a sentence of ours. */

/** Where a text was cut: `mask.ts` looks there for half a secret. */
export const CUT = '…'

/**
 * A foreign text made fit for one line of a log: control characters (a device could colour our
 * terminal) become spaces, and the length is bounded.
 */
export function printable(text: string, lengthMax = 200): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim()
  return line.length <= lengthMax ? line : `${line.slice(0, lengthMax)}${CUT}`
}
