/**
 * The only way in which a command speaks to people: lines out, lines about problems, progress, and
 * a question. Colour is only ever an addition: every mark is readable without it.
 */
import { createInterface } from 'node:readline/promises'

export type Colour = 'good' | 'bad' | 'wait' | 'dim' | 'strong'

export interface Terminal {
  /** The answer, on standard output. */
  readonly out: (text: string) => void
  /** Problems and remarks, on standard error. */
  readonly err: (text: string) => void
  readonly paint: (colour: Colour, text: string) => string
  /** Ask the person in front of it; `undefined` where there is nobody to ask. */
  readonly ask: (question: string) => Promise<string | undefined>
  /** Say what is waited for, and how far it is, while it lasts longer than a second. */
  readonly during: <T>(what: string | (() => string), work: Promise<T>) => Promise<T>
}

const codes: Readonly<Record<Colour, string>> = {
  good: '32',
  bad: '31;1',
  wait: '33',
  dim: '2',
  strong: '1',
}

/**
 * The terminal of this process. The first look at one of its streams opens it, which takes a
 * millisecond or two: each is looked at where it is needed.
 */
export function processTerminal(): Terminal {
  const { stdout, env } = process
  const colour = stdout.isTTY && !env.NO_COLOR && env.TERM !== 'dumb'
  return {
    out: (text) => void stdout.write(`${text}\n`),
    err: (text) => void process.stderr.write(`${text}\n`),
    paint: (name, text) => (colour ? `\x1b[${codes[name]}m${text}\x1b[0m` : text),
    ask: async (question) => {
      const { stdin, stderr } = process
      if (!stdin.isTTY || !stderr.isTTY) return undefined
      const lines = createInterface({ input: stdin, output: stderr })
      // Ctrl-C ends the program as anywhere else; it is not an answer.
      lines.once('SIGINT', () => {
        lines.close()
        process.kill(process.pid, 'SIGINT')
      })
      const closed = new Promise<undefined>((resolve) =>
        lines.once('close', () => resolve(undefined)),
      )
      try {
        return await Promise.race([lines.question(`${question} `), closed])
      } finally {
        lines.close()
      }
    },
    during,
  }
}

/** One line that is rewritten every second on a screen; in a log a line every ten seconds. */
async function during<T>(what: string | (() => string), work: Promise<T>): Promise<T> {
  const sinceMs = performance.now()
  let shown = false
  const timer = setInterval(() => {
    const seconds = Math.round((performance.now() - sinceMs) / 1000)
    const text = `${typeof what === 'string' ? what : what()} … ${seconds} s`
    const { stderr } = process
    if (stderr.isTTY) stderr.write(`\r\x1b[K${text}`)
    else if (seconds === 1 || seconds % 10 === 0) stderr.write(`${text}\n`)
    shown = true
  }, 1000)
  try {
    return await work
  } finally {
    clearInterval(timer)
    if (shown && process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  }
}
