/**
 * The daemon's log: sentences on standard error, one line each, for journald or a terminal.
 *
 * Much of what is said comes from devices and from other people's programs, so that every line is
 * stripped of control characters, cut to a bound, and cleaned of secrets. Devices are cleaned where
 * they are asked; this is the last net.
 */
import { writeSync } from 'node:fs'
import { createNet, type Net } from '../foreign/mask.ts'

export type Level = 'info' | 'warn' | 'alarm'
export type Facts = Readonly<Record<string, string | number | boolean>>
export type Say = (level: Level, text: string, facts?: Facts) => void

export interface Log {
  readonly say: Say
  /** From now on these values never appear, as far as a net can hide them. Adds to the others. */
  hide(secrets: Iterable<string>): void
  /** The same text without secrets, for other places that people read. */
  readonly clean: Net
}

/** Priorities of syslog(3), as journald reads them at the beginning of a line. */
const priorities = { info: 6, warn: 4, alarm: 1 } as const satisfies Record<Level, number>
const lengthMax = 4_000

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
  let clean: Net = (text) => text

  return {
    say(level, text, facts) {
      write(`${render(style, level, text, facts, clean)}\n`)
    },
    hide(secrets) {
      for (const secret of secrets) hidden.add(secret)
      clean = createNet(hidden)
    },
    clean: (text, field) => clean(text, field),
  }
}

function render(
  style: LogOptions['style'],
  level: Level,
  text: string,
  facts: Facts | undefined,
  clean: Net,
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
        ([name, fact]) =>
          [name, typeof fact === 'string' ? flat(clean(fact, name)) : fact] as const,
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

function toStandardError(line: string): void {
  try {
    writeSync(2, line)
  } catch {
    // Nobody reads it (EPIPE), or the reader is behind (EAGAIN). A log must not end a cluster.
  }
}
