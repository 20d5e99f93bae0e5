/** All that a driver may touch: one wire per command, with a deadline and a right that may end. */
import { ChildError, type ChildResult, runChild } from '../foreign/child.ts'
import { type DatagramPort, openDatagrams } from './datagram.ts'
import { FenceError } from './errors.ts'
import { privateHome } from './home.ts'
import { exchange, type HttpAnswer, type HttpRequest } from './http.ts'
import { findProcess, type Pinned, type Sought } from './processes.ts'
import { type LineStream, openStream, type StreamEnd } from './stream.ts'

/**
 * Whether what goes out may change the power. Until a `command` has gone out a press has certainly
 * done nothing, whatever fails; logins, lookups and reads are a `question`.
 */
export type Kind = 'question' | 'command'

export interface RunOptions {
  /** What the program's environment holds besides PATH and LANG. Secrets may stand here. */
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: string
  /** Constant files of a HOME for the program; left out silently where it cannot be made. */
  readonly home?: Readonly<Record<string, string>>
  /** The Debian package that brings the program, for the sentence when it is missing. */
  readonly debianPackage: string
  /** By default a `command`. */
  readonly kind?: Kind
}

/** A stream that is asked for its right before each line (S14). */
export interface WireStream extends Omit<LineStream, 'write'> {
  write(line: string, kind: Kind): void
}

/** Datagrams that are asked for their right before each one (S14). */
export interface WireDatagrams extends Omit<DatagramPort, 'send'> {
  send(packet: Buffer, kind: Kind): void
}

export interface Wire {
  /** Aborts at the deadline, or when nobody waits for the answer any more. */
  readonly signal: AbortSignal
  /** Milliseconds until the deadline; never negative. */
  remainingMs(): number
  /** Runs a program to its end. Rejects with a FenceError when there is no end. */
  run(program: string, args: readonly string[], options: RunOptions): Promise<ChildResult>
  /** One HTTP exchange. Unless `kind` says otherwise a GET is a question, the rest a command. */
  http(request: HttpRequest, kind?: Kind): Promise<HttpAnswer>
  /** A conversation in lines over a unix socket or TCP. Close it. */
  stream(end: StreamEnd): Promise<WireStream>
  /** Datagrams to and from one address. Close it. */
  datagrams(to: { readonly host: string; readonly port: number }): Promise<WireDatagrams>
  /** A process of this machine, by its pid file, unless it has ended. */
  process(sought: Sought): Pinned | undefined
}

export interface WireTerms {
  readonly signal: AbortSignal
  /** On the clock of `performance.now()`. */
  readonly deadlineMs: number
  /** Asked before every single write to the device: is the command still allowed (S14)? */
  readonly allowed?: (() => boolean) | undefined
}

/** A wire, and how many commands have gone out over it. */
export interface OpenWire {
  readonly wire: Wire
  writes(): number
  /** Fingerprints of certificates that nobody looked at; each once. */
  unpinned(): readonly string[]
}

const OUTPUT_MAX_BYTES = 64 * 1024

/** Opens the wire for one command. */
export function openWire({ signal, deadlineMs, allowed }: WireTerms): OpenWire {
  let writes = 0
  const unpinned = new Set<string>()
  const remainingMs = (): number => Math.max(0, deadlineMs - performance.now())

  const permit = (what: string): void => {
    if (signal.aborted) throw new FenceError('withdrawn', `${what} was not begun any more`)
    if (allowed?.() === false) {
      throw new FenceError('withdrawn', 'the right to send it ended: the cluster has changed')
    }
  }
  const count = (kind: Kind): void => {
    if (kind === 'command') writes += 1
  }

  const wire: Wire = {
    signal,
    remainingMs,
    async run(program, args, { env, stdin, home, debianPackage, kind = 'command' }) {
      permit(program)
      const path = home && privateHome(home)
      try {
        const running = runChild(program, args, {
          env: { PATH: searchPath(), LANG: 'C', ...(path && { HOME: path }), ...env },
          stdin,
          signal,
          outputMaxBytes: OUTPUT_MAX_BYTES,
        })
        count(kind)
        return await running
      } catch (error) {
        throw translate(error, program, debianPackage)
      }
    },
    async http(request, kind = request.method === 'GET' ? 'question' : 'command') {
      permit(request.method)
      count(kind)
      const answer = await exchange(request, signal)
      if (answer.unpinned) unpinned.add(answer.unpinned)
      return answer
    },
    async stream(end) {
      permit('the connection')
      const stream = await openStream(end, signal)
      return {
        read: () => stream.read(),
        close: () => stream.close(),
        write(line, kind) {
          permit('a line')
          count(kind)
          stream.write(line)
        },
      }
    },
    async datagrams(to) {
      permit('a datagram')
      const port = await openDatagrams(to, signal)
      return {
        receive: (waitMs) => port.receive(waitMs),
        close: () => port.close(),
        send(packet, kind) {
          permit('a datagram')
          count(kind)
          port.send(packet)
        },
      }
    },
    process(sought) {
      try {
        return findProcess(sought)
      } catch (error) {
        const { message } = error as Error
        throw new FenceError('local', message, 'correct the pid file; the process is not judged')
      }
    },
  }
  return { wire, writes: () => writes, unpinned: () => [...unpinned] }
}

function translate(error: unknown, program: string, debianPackage: string): FenceError {
  if (!(error instanceof ChildError)) return new FenceError('garbled', `${program} failed`)
  switch (error.kind) {
    case 'missing':
      return new FenceError('missingProgram', error.message, `apt install ${debianPackage}`)
    case 'aborted':
      return new FenceError('timeout', error.message)
    case 'flooded':
      return new FenceError('garbled', error.message)
    case 'failed':
      return new FenceError('local', error.message)
  }
}

function searchPath(): string {
  return process.env.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
}
