/** The options that every driver over HTTPS shares: whom to take for the device. */
import { z } from 'zod'
import { FenceError } from '../errors.ts'
import { plainFingerprint, type TlsPolicy } from '../http.ts'
import { readPlainFile } from '../plain-file.ts'

const FINGERPRINT = 'is not a SHA-256 fingerprint; write 64 hex digits, with or without colons'

/** To be spread into a driver's options. */
export const httpsOptions = {
  verify_ssl: z.boolean().default(true).meta({
    title: 'Check the certificate; without it pin the fingerprint, or anybody is trusted',
  }),
  fingerprint: z
    .string()
    .refine((text) => plainFingerprint(text).length === 64, FINGERPRINT)
    .optional()
    .meta({ title: 'SHA-256 fingerprint of the certificate: this one and no other is trusted' }),
  ca_file: z
    .string()
    .min(1)
    .optional()
    .meta({ title: 'Certificates (PEM) that are trusted instead of those of the system' }),
  legacy_tls: z
    .boolean()
    .default(false)
    .meta({ title: 'Also speak TLS 1.0 and weak ciphers, for an old device' }),
}

/** What the shared options come to. */
export function tlsOf(options: {
  readonly verify_ssl: boolean
  readonly fingerprint?: string | undefined
  readonly ca_file?: string | undefined
  readonly legacy_tls: boolean
}): TlsPolicy {
  const { verify_ssl, fingerprint, ca_file, legacy_tls } = options
  const ca = ca_file === undefined ? undefined : pemOf(ca_file)
  return { verify: verify_ssl, fingerprint, ca, legacy: legacy_tls }
}

/** All authorities of a system are a quarter of it. */
const CA_MAX_BYTES = 2 ** 20

function pemOf(file: string): string {
  try {
    return readPlainFile(file, CA_MAX_BYTES)
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException
    throw new FenceError('options', `ca_file ${file} cannot be read: ${code}`)
  }
}
