/** All that a driver may touch: one wire per command, with a deadline and a right that may end. */
import { ChildError, type ChildResult, runChild } from './child.ts'
import { FenceError } from './errors.ts'
import { privateHome } from './home.ts'

export interface RunOptions {
  /** What the program's environment holds besides PATH and LANG. Secrets may stand here. */
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: string
  /** Constant files of a HOME for the program; left out silently where it cannot be made. */
  readonly home?: Readonly<Record<string, string>>
  /** The Debian package that brings the program, for the sentence when it is missing. */
  readonly debianPackage: string
}

export interface Wire {
  /** Aborts at the deadline, or when nobody waits for the answer any more. */
  readonly signal: AbortSignal
  /** Milliseconds until the deadline; never negative. */
  remainingMs(): number
  /** Runs a program to its end. Rejects with a FenceError when there is no end. */
  run(program: string, args: readonly string[], options: RunOptions): Promise<ChildResult>
}

export interface WireTerms {
  readonly signal: AbortSignal
  /** On the clock of `performance.now()`. */
  readonly deadlineMs: number
  /** Asked before every single write to the device: is the command still allowed (S14)? */
  readonly allowed?: (() => boolean) | undefined
}

/** A wire, and how often something has gone out over it. */
export interface OpenWire {
  readonly wire: Wire
  writes(): number
}

const OUTPUT_MAX_BYTES = 64 * 1024

/** Opens the wire for one command. */
export function openWire({ signal, deadlineMs, allowed }: WireTerms): OpenWire {
  let writes = 0
  const remainingMs = (): number => Math.max(0, deadlineMs - performance.now())

  const wire: Wire = {
    signal,
    remainingMs,
    async run(program, args, { env, stdin, home, debianPackage }) {
      if (signal.aborted) throw new FenceError('withdrawn', `${program} was not started any more`)
      if (allowed?.() === false) {
        throw new FenceError('withdrawn', 'the right to send it ended: the cluster has changed')
      }
      const path = home && privateHome(home)
      try {
        const running = runChild(program, args, {
          env: { PATH: searchPath(), LANG: 'C', ...(path && { HOME: path }), ...env },
          stdin,
          signal,
          outputMaxBytes: OUTPUT_MAX_BYTES,
        })
        writes += 1
        return await running
      } catch (error) {
        throw translate(error, program, debianPackage)
      }
    },
  }
  return { wire, writes: () => writes }
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
