/** What every screen is made of: a mark beside a word, colours, and text that steers nothing. */
import type { Colour } from './terminal.ts'

export type Paint = (colour: Colour, text: string) => string

const marks = { good: '✓', bad: '✗', wait: '…', dim: '·' } as const
export type Mark = keyof typeof marks

/** A mark beside its word, in its colour. */
export function mark(kind: Mark, text: string, paint: Paint): string {
  return paint(kind, `${marks[kind]} ${text}`)
}

/** What came over the socket, or once from a device, must not steer the terminal. */
export function plain(text: unknown): string {
  return String(text).replace(/[\p{Cc}\p{Cf}]/gu, ' ')
}
