/** What a config says of a fence agent, and which agents it may not name. */
import { z } from 'zod'
import { secretName } from '../../foreign/parameters.ts'

const value = z.union([
  z.string().regex(/^[^\r\n\0]*$/, 'is more than one line, which no parameter can be'),
  z.number(),
  z.boolean(),
])
const parameters = z.record(
  z
    .string()
    .regex(/^[a-zA-Z][\w-]*$/, 'is no name of a parameter')
    .refine(
      (name) => !['action', 'plug', 'port', 'help', 'version'].includes(name),
      'is set by the driver; the plug is an option of its own',
    ),
  value,
)
export const plugForm = /^[^\s,]+$/

/** They switch nothing, or only say that they would: no proof may ever come from one of them. */
const powerless: Readonly<Record<string, string>> = {
  fence_ack_manual: 'believes a person',
  fence_heuristics_ping: 'only sends echo requests',
  fence_kdump: 'only waits for a crash dump',
  fence_dummy: 'switches nothing',
  fence_evacuate: 'moves machines, and switches nothing',
  fence_compute: 'tells OpenStack, and switches nothing',
}

/** Those that say so in their metadata (4.12.1). The others are found when they are asked. */
const fabricAgents: readonly string[] = [
  ...['fence_brocade', 'fence_cisco_mds', 'fence_ifmib'],
  ...['fence_mpath', 'fence_sanbox2', 'fence_scsi'],
]
const NO_PROOF = 'and can never prove an off'
const POWER_MEND = 'configure a device that cuts the power'
export const FABRIC = 'cuts storage or network and no power: its off is no proof'
export const FABRIC_MEND = 'write cuts: fabric, which fence.least_evidence has to allow'

function addressFault(text: string): string | undefined {
  if (text.includes('://')) return 'is a URL; write the address or the name in it alone'
  if (/^([^:]+|\[.*\]):\d*$/.test(text)) {
    return 'is an address with a port; write the port in ipport'
  }
  return undefined
}

export const options = z
  .strictObject({
    agent: z
      .string()
      .regex(/^fence_[\w-]+$/, 'is not the name of a fence agent like fence_apc')
      .meta({ title: 'The executable, as it is called in /usr/sbin' }),
    options: parameters.default({}).meta({
      title: 'Its parameters, as its manual page names them',
    }),
    secret_options: parameters.default({}).meta({
      title: 'Those of its parameters that nobody may see: password and the like',
      secret: true,
    }),
    plug: z
      .union([z.string().regex(plugForm, 'is not a single plug'), z.int().min(0)])
      .optional()
      .meta({ title: 'Outlet, blade or machine, where the device has several' }),
    cuts: z.enum(['power', 'fabric']).default('power').meta({
      title: 'What its off takes from the node: its power, or its storage or network',
    }),
  })
  .refine(({ options }) => !Object.keys(options).some((name) => secretName.test(name)), {
    path: ['options'],
    message: 'holds a password; write it in secret_options, in the secrets file',
  })
  .refine(({ options, secret_options: secret }) => !Object.keys(options).some((k) => k in secret), {
    path: ['options'],
    message: 'has a parameter in common with secret_options',
  })
  .superRefine(({ options }, { addIssue }) => {
    for (const name of ['ip', 'ipaddr']) {
      const fault = addressFault(String(options[name] ?? ''))
      if (fault === undefined) continue
      addIssue({ code: 'custom', path: ['options', name], message: fault })
    }
  })
  .superRefine(({ agent, cuts }, { addIssue }) => {
    const why = powerless[agent]
    const fabric = cuts === 'power' && fabricAgents.includes(agent)
    if (why === undefined && !fabric) return
    const message =
      why === undefined
        ? `${agent} ${FABRIC}; ${FABRIC_MEND}`
        : `${agent} ${why}, ${NO_PROOF}; ${POWER_MEND}`
    addIssue({ code: 'custom', path: ['agent'], message })
  })

export type Options = z.output<typeof options>
