/** The option `host` of drivers that speak to one address: an address or a name, nothing else. */
import { isIPv4, isIPv6 } from 'node:net'
import { z } from 'zod'

const NEITHER = 'is not an address or a name'

/** To be given its `.meta()`, which has to come last. */
export const host = z
  .string()
  .refine((text) => !text.includes('://'), {
    error: 'is a URL; write the address or the name in it alone',
    abort: true,
  })
  .refine((text) => !/^([^:]+|\[.*\]):\d*$/.test(text), {
    error: 'is an address with a port; write the port in the option port',
    abort: true,
  })
  .refine((text) => !/^\[.*\]$/.test(text), {
    error: 'is in brackets; write the address without them',
    abort: true,
  })
  .refine((text) => !/^\d+(\.\d+)*$/.test(text) || isIPv4(text), {
    error: 'is no IPv4 address: it has four numbers from 0 to 255',
    abort: true,
  })
  .regex(/^[^\s/@?#-][^\s/@?#]*$/, { error: NEITHER, abort: true })
  .refine((text) => !text.includes(':') || isIPv6(text), NEITHER)
