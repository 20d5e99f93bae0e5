/** What a config says of a BMC that speaks Redfish. */
import { z } from 'zod'
import { host } from './host.ts'
import { httpsOptions } from './https.ts'

/** Resets after which a node may run on, or runs again. None of them is an off. */
const notOff = [
  ...['On', 'ForceOn', 'GracefulShutdown', 'GracefulRestart', 'ForceRestart', 'PowerCycle'],
  ...['FullPowerCycle', 'PushPowerButton', 'Nmi', 'Suspend', 'Pause', 'Resume'],
]

/** Resets that ask nobody, and after which it boots. The first one is quicker, where both are. */
export const hardResets = ['ForceRestart', 'PowerCycle']

export const options = z
  .strictObject({
    url: z
      .url({ protocol: /^https$/, error: 'is not an https URL' })
      .refine((text) => !text.includes('@'), 'holds a login; write user and password instead')
      .refine(
        (text) => !URL.canParse(text) || /^(\/redfish(\/v1)?)?\/?$/.test(new URL(text).pathname),
        'has a path; the service stands at /redfish/v1 of its host',
      )
      .optional()
      .meta({ title: 'Address of the service, like `https://192.168.10.11`; or `host`' }),
    host: host
      .refine((text) => URL.canParse(`https://${bracketed(text)}`), 'is not an address or a name')
      .optional()
      .meta({ title: 'Address of the BMC, instead of `url`' }),
    port: z
      .int()
      .min(1)
      .max(65535)
      .optional()
      .meta({ title: 'TCP port of the BMC, with `host`; 443 if unset' }),
    user: z
      .string()
      .regex(/^[^:\p{Cc}]+$/u, 'is empty, or holds a colon')
      .meta({ title: 'Login name' }),
    password: z.string().min(1, 'is empty').meta({ title: 'Login password', secret: true }),
    system: z
      .string()
      .min(1)
      .optional()
      .meta({ title: 'Id, name, serial number or UUID of the system, where there are several' }),
    auth: z
      .enum(['basic', 'session'])
      .default('basic')
      .meta({ title: 'Log in with each request, or once per call with a session' }),
    by: z.enum(['off', 'reset']).default('off').meta({
      title: 'Fence it by an off, or by a reset, which only proves that it has booted anew',
    }),
    reset_type: z
      .string()
      .regex(/^[A-Za-z]+$/, 'is not one word like ForceOff, as the BMC lists it')
      .optional()
      .meta({ title: 'Sent to switch off (or to reset), listed or not, instead of the usual' }),
    ...httpsOptions,
  })
  .refine(
    ({ url, host }) => url !== undefined || host !== undefined,
    'the address of the BMC is set nowhere; write host, or url instead',
  )
  .refine(({ url, host }) => url === undefined || host === undefined, {
    path: ['host'],
    message: 'is set, and url as well; keep one of them',
  })
  .refine(({ by, reset_type: type = '' }) => by === 'reset' || !notOff.includes(type), {
    path: ['reset_type'],
    message: 'is not a hard off; write ForceOff, or what the BMC has instead, or leave it out',
  })
  .refine(({ by, reset_type: type }) => by === 'off' || !type || hardResets.includes(type), {
    path: ['reset_type'],
    message: `is not a hard reset; those are ${hardResets.join(' and ')}`,
  })
  .refine(({ url, port }) => url === undefined || port === undefined, {
    path: ['port'],
    message: 'goes with host; write it into url',
  })

export type Options = z.output<typeof options>

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host)

/** Where the service is, without its path. */
export function baseOf({ url, host = '', port = 443 }: Options): string {
  return url ?? `https://${bracketed(host)}:${port}`
}
