/**
 * The daemon's log: sentences on standard error, one line each, for journald or a terminal.
 *
 * Much of what is said comes from devices and from other people's programs, so that every line is
 * stripped of control characters, cut to a bound, and cleaned of secrets. The drivers clean their
 * own words; this is the last net.
 */
import { writeSync } from 'node:fs'

export type Level = 'info' | 'warn' | 'alarm'
export type Facts = Readonly<Record<string, string | number | boolean>>
export type Say = (level: Level, text: string, facts?: Facts) => void

export interface Log {
  readonly say: Say
  /** From now on these values never appear. Adds to what is hidden already. */
  hide(secrets: Iterable<string>): void
  /** The same text without secrets, for other places that people read. */
  clean(text: string): string
}

/** Priorities of syslog(3), as journald reads them at the beginning of a line. */
const priorities = { info: 6, warn: 4, alarm: 1 } as const satisfies Record<Level, number>
const lengthMax = 4_000
const mask = '******'

export interface LogOptions {
  /** journald stamps lines itself and wants `<6>` in front; a terminal wants the time. */
  readonly style: 'journald' | 'plain' | 'json'
  readonly write?: (line: string) => void
}

/** How the log should look, from what the service manager says of standard error. */
export function styleOf(environment: NodeJS.ProcessEnv): 'journald' | 'plain' {
  return environment.JOURNAL_STREAM || environment.INVOCATION_ID ? 'journald' : 'plain'
}

/** Opens the log on standard error. */
export function openLog({ style, write = toStandardError }: LogOptions): Log {
  const hidden = new Set<string>()

  const clean = (text: string) => {
    let cleaned = text
    for (const secret of hidden) cleaned = cleaned.replaceAll(secret, mask)
    return cleaned
  }

  return {
    say(level, text, facts) {
      write(`${render(style, level, text, facts, clean)}\n`)
    },
    hide(secrets) {
      for (const secret of secrets) for (const form of formsOf(secret)) hidden.add(form)
    },
    clean,
  }
}

function render(
  style: LogOptions['style'],
  level: Level,
  text: string,
  facts: Facts | undefined,
  clean: (text: string) => string,
): string {
  const sentence = flat(clean(text))
  const time = () => new Date().toISOString()
  switch (style) {
    case 'journald':
      return `<${priorities[level]}>${sentence}`
    case 'plain':
      return `${time()} ${level === 'info' ? '' : `${level}: `}${sentence}`
    case 'json': {
      const kept = Object.entries(facts ?? {}).map(
        ([name, fact]) => [name, typeof fact === 'string' ? flat(clean(fact)) : fact] as const,
      )
      // The sentence's own fields stand last: no fact can take their place.
      return JSON.stringify({ ...Object.fromEntries(kept), level, text: sentence, time: time() })
    }
  }
}

/** One line without control characters, so that nobody writes a second line in our name. */
function flat(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ')
  return line.length <= lengthMax ? line : `${line.slice(0, lengthMax)} …`
}

/** A secret as it is, in a URL, and inside JSON. One of two letters would mask half the language. */
function formsOf(secret: string): readonly string[] {
  if (secret.length < 3) return []
  return [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]
}

function toStandardError(line: string): void {
  try {
    writeSync(2, line)
  } catch {
    // Nobody reads it (EPIPE), or the reader is behind (EAGAIN). A log must not end a cluster.
  }
}
