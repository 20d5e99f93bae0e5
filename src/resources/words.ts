/**
 * Splits a command line into words the way a shell reads quotes, without being a shell: nothing is
 * expanded, and what only a shell could do is refused rather than passed on as a word.
 */

const NEEDS_SHELL = /[|&;<>()$`]/

/** The words of a command line. Throws with the reason when it cannot be split. */
export function splitWords(line: string): string[] {
  const words: string[] = []
  let word: string | undefined
  for (let at = 0; at < line.length; ) {
    const { text, next, ends } = nextPiece(line, at)
    if (text !== undefined) word = (word ?? '') + text
    if (ends && word !== undefined) {
      words.push(word)
      word = undefined
    }
    at = next
  }
  if (word !== undefined) words.push(word)
  return words
}

interface Piece {
  readonly text: string | undefined
  readonly next: number
  /** White space: the word is over. */
  readonly ends: boolean
}

function nextPiece(line: string, at: number): Piece {
  const char = line[at] ?? ''
  if (/\s/.test(char)) return { text: undefined, next: at + 1, ends: true }
  if (char === "'") {
    const close = line.indexOf("'", at + 1)
    if (close === -1) throw new Error("a ' is opened and not closed")
    return { text: line.slice(at + 1, close), next: close + 1, ends: false }
  }
  if (char === '"') return doubleQuoted(line, at + 1)
  if (char === '\\') {
    const escaped = line[at + 1]
    if (escaped === undefined) throw new Error('it ends with a \\')
    return { text: escaped, next: at + 2, ends: false }
  }
  refuseShell(char)
  return { text: char, next: at + 1, ends: false }
}

function doubleQuoted(line: string, begin: number): Piece {
  let text = ''
  for (let at = begin; at < line.length; at++) {
    const char = line[at] ?? ''
    if (char === '"') return { text, next: at + 1, ends: false }
    if (char === '\\' && '\\"$`'.includes(line[at + 1] ?? ' ')) {
      at += 1
      text += line[at] ?? ''
    } else {
      if (char === '$' || char === '`') refuseShell(char)
      text += char
    }
  }
  throw new Error('a " is opened and not closed')
}

function refuseShell(char: string): void {
  if (!NEEDS_SHELL.test(char)) return
  throw new Error(`\`${char}\` means something to a shell only: quote it, or write sh -c '...'`)
}

/** Writes words so that `splitWords` reads the same; one spelling for one list. */
export function joinWords(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(' ')
}
