/** The options of the driver `ipmi`, and what both of its ways to a BMC share. */
import { z } from 'zod'
import { FenceError, type FenceFailure } from '../errors.ts'
import type { Wire } from '../wire.ts'
import { host } from './host.ts'

/** Encrypted and authenticated suites only; 0 to 2 and their like open the BMC to everybody. */
const ciphers = [3, 8, 12, 17] as const

export type Cipher = (typeof ciphers)[number]

export const options = z.strictObject({
  host: host.meta({ title: 'Address of the BMC' }),
  port: z.int().min(1).max(65535).default(623).meta({ title: 'UDP port of the BMC' }),
  user: z
    .string()
    .min(1, 'is empty')
    .refine(...fits(16))
    .meta({ title: 'Login name' }),
  password: z
    .string()
    .min(1, 'is empty')
    .refine(...fits(20))
    .meta({ title: 'Login password', secret: true }),
  privilege: z
    .enum(['operator', 'administrator'])
    .default('operator')
    .meta({ title: 'Privilege level to ask for; operator may switch the power' }),
  cipher: z
    .literal(ciphers)
    .optional()
    .meta({ title: 'RMCP+ cipher suite; if unset 17, then 3 for a BMC that does not know 17' }),
  interface: z
    .literal('lanplus')
    .default('lanplus')
    .meta({ title: 'Protocol: IPMI 2.0, the only one that encrypts' }),
  via: z
    .enum(['native', 'ipmitool'])
    .default('native')
    .meta({ title: 'Who speaks to the BMC: Picket itself, or ipmitool for a BMC that needs it' }),
})

export type Options = z.output<typeof options>

/** The cipher that a BMC turned out to speak, so that only the first call has to find out. */
const spoken = new WeakMap<Options, Cipher>()

/** The cipher to begin with. */
export function cipherOf(options: Options): Cipher {
  return options.cipher ?? spoken.get(options) ?? 17
}

/**
 * Does the work over the cipher of the config, or over the one that the BMC speaks. The cipher is
 * agreed on before anything else: work that fails for it has sent nothing yet.
 */
export async function overCipher<T>(
  options: Options,
  work: (cipher: Cipher) => Promise<T>,
): Promise<T> {
  const first = cipherOf(options)
  const other = first === 17 ? 3 : 17
  try {
    return await work(first)
  } catch (error) {
    if (options.cipher !== undefined || !refusesCipher(error)) throw error
  }
  try {
    const done = await work(other)
    spoken.set(options, other)
    return done
  } catch (error) {
    if (!refusesCipher(error)) spoken.set(options, other)
    throw error
  }
}

function refusesCipher(error: unknown): boolean {
  return error instanceof FenceError && error.failure === 'cipher'
}

/**
 * Does it again after these failures: a packet was lost, and there is time for a further attempt,
 * which takes `attemptMs` where nobody answers.
 */
export async function persistently<T>(
  wire: Wire,
  { failures, attemptMs }: { failures: readonly FenceFailure[]; attemptMs: number },
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const lost = error instanceof FenceError && failures.includes(error.failure)
      const hopeless = wire.signal.aborted || wire.remainingMs() < attemptMs
      if (!lost || hopeless || attempt === ATTEMPTS_MAX) throw error
    }
  }
}

const ATTEMPTS_MAX = 3

/** A length in bytes that a field of the IPMI messages can hold, as arguments of `refine`. */
function fits(bytesMax: number): [(text: string) => boolean, string] {
  return [
    (text) => Buffer.byteLength(text) <= bytesMax,
    `is longer than the ${bytesMax} bytes that IPMI 2.0 can hold; give the BMC a shorter one`,
  ]
}
