/** What network checks share: what a port is, and what went wrong, in words. */
import { z } from 'zod'

export const portOf = z.int().min(1).max(65_535)

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network unreachable',
  ENOTFOUND: 'there is no such name',
  EAI_AGAIN: 'the name cannot be resolved now',
  ETIMEDOUT: 'no answer in time',
  ABORT_ERR: 'no answer in time',
}

/** In a clause. An error of several attempts (IPv6, then IPv4) is that of the last one. */
export function troubleOf(error: Error): string {
  const last = error instanceof AggregateError ? error.errors.at(-1) : error
  const { code, message } = (last ?? error) as NodeJS.ErrnoException
  return words[code ?? ''] ?? message
}
