/**
 * The form of the configuration file, as far as it is the same for everybody. What a driver or a
 * resource type adds is checked with its own schema, in fence.ts and resources.ts.
 *
 * Every option that is a span of time carries its unit in its name and is a plain number.
 */
import { isIP } from 'node:net'
import { z } from 'zod'
import { failureActions, isolations, noQuorumActions } from '../core/model.ts'
import { roles } from '../core/roles.ts'
import { checkTypeNames } from '../health/index.ts'
import { resourceTypeNames } from '../resources/index.ts'
import { quorumRisks } from './corosync.ts'

const day = 86_400

const seconds = z.number().positive().max(day)
const milliseconds = z.int().min(10).max(60_000)

/**
 * Names become parts of device ids, of file names and of keys: no slash, no name that every object
 * of the language has already, and no number, which would lose its place in the order.
 */
export const nameSchema = z
  .string()
  .max(64)
  .regex(/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/, 'letters, digits, `.`, `_` and `-`')
  .refine((name) => !(name in {}) && !/^\d+$/.test(name), {
    error: ({ input }) => `${JSON.stringify(input)} cannot be a name; write one with a letter`,
  })

/** Names are resolved by a service that may be down at the very moment when we have to know. */
const address = z
  .string()
  .refine((text) => isIP(text) !== 0, {
    error: ({ input }) => `${JSON.stringify(input)} is not an IP address; write one, not a name`,
  })
  .meta({
    title: 'An IPv4 or IPv6 address',
    // As far as an editor can tell.
    pattern: '^[0-9A-Fa-f:.]+(%.+)?$',
    patternErrorMessage: 'write an IP address, not a name',
  })

const amounts = z.record(nameSchema, z.number().min(0).max(1e15))
const points = z.number().min(-1e6).max(1e6)

const watchdogMode = z.enum(['off', 'automatic', 'required'])
const watchdogDevice = z.string().startsWith('/').max(4096)

const node = z.strictObject({
  name: nameSchema.meta({ title: "The node's name, the same as in Corosync's nodelist" }),
  address: address.optional().meta({ title: 'Where the cluster reaches it' }),
  addresses: z
    .record(nameSchema, z.union([address, z.array(address).min(1)]))
    .optional()
    .meta({ title: 'By network: addresses that must be silent before it counts as dead' }),
  role: z
    .enum(roles)
    .default('host')
    .meta({ title: '`witness`: it votes and fences, and never runs a resource' }),
  priority: z
    .int()
    .min(0)
    .max(1000)
    .default(0)
    .meta({ title: 'How much it matters; see `fence.priority_delay_seconds`' }),
  capacity: amounts
    .default({})
    .meta({ title: 'What its resources may take together, by kind; see `resources[].needs`' }),
  watchdog: z
    .strictObject({
      mode: watchdogMode.optional().meta({ title: '`off`, `automatic` or `required` here' }),
      device: watchdogDevice.optional().meta({ title: 'Its device here' }),
    })
    .optional()
    .meta({ title: 'What is different about its watchdog' }),
  fence: z
    .unknown()
    .optional()
    .meta({ title: 'How to cut its power: a step, or a list of levels' }),
  unfenced: z
    .literal('accepted', 'accepted: that nobody can prove it off is known, and an alarm stands')
    .optional()
    .meta({ title: 'It may run resources although no fence device can prove it off' }),
})

const fence = z.strictObject({
  enabled: z.boolean().default(true).meta({ title: 'false: no fencing, hence no recovery' }),
  require_quorum: z
    .literal(true, 'true: without quorum two halves of a cluster would shoot each other')
    .default(true)
    .meta({ title: 'Fence only with quorum; cannot be switched off' }),
  delay_seconds: z
    .number()
    .min(0)
    .max(3600)
    .default(0)
    .meta({ title: 'Wait before a lost node is fenced; one that comes back is left alone' }),
  delay_random_seconds: z
    .number()
    .min(0)
    .max(600)
    .default(0)
    .meta({ title: 'Up to so much more, drawn anew for every daemon and node' }),
  priority_delay_seconds: z
    .number()
    .min(0)
    .max(600)
    .default(0)
    .meta({
      title:
        'So much more for a node whose `priority` is above that of all others; of two nodes one ' +
        'always waits, for 10 seconds where this is 0',
    }),
  reprieve_seconds: z.number().min(0).max(600).default(0).meta({
    title:
      'How long a lost node is left alone that is heard elsewhere, or that a device speaks for',
  }),
  kdump: z
    .strictObject({
      seconds: seconds.max(3600).default(300).meta({
        title: 'How long a lost node may write a crash dump, at most, from its loss on',
      }),
      first_seconds: z.number().min(0).max(600).default(30).meta({
        title: 'How long its first message is waited for: every failover takes so much longer',
      }),
      port: z.int().min(1).max(65535).default(7410).meta({ title: 'The UDP port of fence_kdump' }),
    })
    .optional()
    .meta({ title: 'Let a lost node finish its crash dump before it is fenced' }),
  dlm: z
    .boolean()
    .default(false)
    .meta({ title: 'Tell dlm_controld of this node which nodes are proven off' }),
  min_interval_seconds: z
    .number()
    .min(0)
    .max(day)
    .default(0)
    .meta({ title: 'Least gap between two fencings of one node' }),
  storm_limit: z
    .int()
    .min(1)
    .max(1000)
    .default(5)
    .meta({ title: 'How many fencings may send a command within the window' }),
  storm_window_seconds: seconds.default(600).meta({ title: 'The window of the storm limit' }),
  rejoin: z
    .enum(['automatic', 'manual'])
    .default('automatic')
    .meta({ title: 'manual: who was fenced takes nothing before `picket unfence`' }),
  max_retries: z
    .int()
    .min(0)
    .optional()
    .meta({ title: 'Accepted for compatibility: a fencing is retried until it is proven' }),
  confirm_down: z
    .literal(true, 'true: an off that is not read back proves nothing')
    .default(true)
    .meta({ title: 'Read the power back; cannot be switched off' }),
  verify: z
    .boolean()
    .default(true)
    .meta({ title: 'End every level of a node with `addresses` by listening on them' }),
  least_evidence: z
    .enum(isolations)
    .exclude(['cooperative'])
    .default('power')
    .meta({ title: 'The weakest proof that counts; nothing weaker is accepted in any step' }),
  credentials_file: z.string().min(1).optional().meta({ title: 'The file that holds the secrets' }),
  drivers: z
    .record(z.string(), z.looseObject({ credentials_file: z.string().min(1).optional() }))
    .default({})
    .meta({ title: 'Options that all steps of a driver share' }),
})

const timeouts = z.strictObject({
  start_seconds: seconds.default(20).meta({ title: 'How long a start may take' }),
  stop_seconds: seconds.default(20).meta({ title: 'How long a stop may take' }),
  monitor_seconds: seconds.default(10).meta({ title: 'How long one look at it may take' }),
})

const strength = z.number().gt(0).max(1e6)
const pull = z.union([
  nameSchema,
  z.strictObject({ resource: nameSchema, strength: strength.optional() }),
])

/** The name of a type, which is looked up later: a slip of the pen deserves a better answer. */
function kindOf(names: readonly string[]) {
  return z.string({ error: () => `one of ${names.join(', ')}` })
}

/** `true` is a clone without a bound but its nodes, a number one with that bound. */
const clone = z.union([z.boolean(), z.int().min(1).max(32)]).default(false)

const resource = z.looseObject({
  id: nameSchema.meta({ title: "The resource's name" }),
  type: kindOf(resourceTypeNames).meta({ title: 'The resource type' }),
  nodes: z
    .array(z.string())
    .min(1)
    .optional()
    .meta({ title: 'Nodes that may run it, the preferred one first; all when left out' }),
  clone: clone.meta({ title: 'Runs on all of its nodes at once, or on at most so many of them' }),
  beside: z
    .union([pull, z.array(pull)])
    .default([])
    .meta({ title: 'Runs where these run, always, or with a `strength` in points' }),
  apart_from: z
    .union([pull, z.array(pull)])
    .default([])
    .meta({ title: 'Never runs where these run, or with a `strength` in points' }),
  after: z
    .union([nameSchema, z.array(nameSchema)])
    .default([])
    .meta({ title: 'Starts after these run, and stops before they do' }),
  prefers: z
    .record(nameSchema, points)
    .default({})
    .meta({ title: 'Points for nodes, beside their order in `nodes`' }),
  stickiness: z
    .number()
    .min(0)
    .max(1e6)
    .optional()
    .meta({ title: 'Points for where it runs; when left out it never moves without need' }),
  priority: z
    .int()
    .min(-1e6)
    .max(1e6)
    .default(0)
    .meta({ title: 'Where not all can run, the more important ones do' }),
  needs: amounts
    .default({})
    .meta({ title: 'What it takes of its node, by kind: `memory_mb: 4096`' }),
  health: z
    .union([nameSchema, z.array(nameSchema)])
    .default([])
    .meta({ title: 'Checks that are asked where it runs: when one fails, it has failed' }),
  only_where: z
    .union([nameSchema, z.array(nameSchema)])
    .default([])
    .meta({ title: 'Checks of its nodes: where one fails it does not start, and moves away' }),
  timeouts: timeouts.prefault({}).meta({ title: 'Bounds of its operations' }),
  monitor_every_seconds: seconds.default(10).meta({ title: 'Gap between two looks at it' }),
  on_fail: z
    .enum(failureActions)
    .default('restart')
    .meta({ title: 'What a failure comes to; `fence` condemns the node on which it failed' }),
  failures_max: z
    .int()
    .min(1)
    .max(100)
    .optional()
    .meta({ title: 'So many failures keep it away from a node; left out: two, or a failed start' }),
  failure_timeout_seconds: seconds
    .optional()
    .meta({ title: 'How long a failure counts; `timing.cool_down_seconds` when left out' }),
  no_quorum: z
    .enum(noQuorumActions)
    .default('stop')
    .meta({ title: 'Without quorum it stops, or is left running as it is' }),
})

const group = z.strictObject({
  id: nameSchema.meta({ title: "The group's name" }),
  members: z
    .array(nameSchema)
    .min(2)
    .meta({ title: 'Resources that run on one node, started in this order, stopped in reverse' }),
  clone: clone.meta({ title: 'Each of its nodes has all of them, or at most so many nodes have' }),
})

const check = z.looseObject({
  id: nameSchema.meta({ title: "The check's name" }),
  type: kindOf(checkTypeNames).meta({ title: 'The type of check' }),
  every_seconds: z
    .number()
    .min(0.5)
    .max(3600)
    .default(5)
    .meta({ title: 'Gap between two questions' }),
  timeout_seconds: z
    .number()
    .min(0.1)
    .max(300)
    .default(3)
    .meta({ title: 'An answer that takes longer is a bad one' }),
  rise: z
    .int()
    .min(1)
    .max(100)
    .default(2)
    .meta({ title: 'Good answers in a row after which it is healthy again' }),
  fall: z
    .int()
    .min(1)
    .max(100)
    .default(3)
    .meta({ title: 'Bad answers in a row after which it fails' }),
})

const timing = z.strictObject({
  beat_ms: milliseconds.default(1000).meta({ title: 'Gap between two reports of a node' }),
  echo_ms: milliseconds
    .optional()
    .meta({ title: 'A node acts only while a report younger than this came back to it' }),
  silent_seconds: seconds
    .default(10)
    .meta({ title: 'A daemon that is silent for this long is fenced with its node' }),
  stranger_seconds: seconds
    .default(300)
    .meta({ title: 'How long a node with another configuration is left alone' }),
  start_grace_seconds: z
    .number()
    .min(0)
    .max(day)
    .default(30)
    .meta({ title: 'Nodes that never showed up are fenced after this' }),
  retry_seconds: seconds.default(2).meta({ title: 'First gap between two fencing rounds' }),
  retry_max_seconds: seconds.default(60).meta({ title: 'Longest gap between two rounds' }),
  cool_down_seconds: seconds
    .default(60)
    .meta({ title: 'How long a failure counts, where its resource says nothing else' }),
  // Weak BMCs crash when they are asked without a pause.
  check_every_seconds: z
    .number()
    .min(5)
    .max(day)
    .default(300)
    .meta({ title: 'Gap between two verifications of every fence device' }),
  stop_attempts: z
    .int()
    .min(1)
    .max(10)
    .default(3)
    .meta({ title: 'Failed stops before the node is fenced' }),
  leave_seconds: seconds
    .default(10)
    .meta({ title: 'How long a leaving daemon waits for the others' }),
  detach_seconds: seconds
    .max(3600)
    .default(60)
    .meta({ title: 'How long a node may be without picketd after `picket detach`' }),
})

const watchdog = z.strictObject({
  mode: watchdogMode
    .default('off')
    .meta({ title: '`automatic`: used where there is one; `required`: without it nothing runs' }),
  device: watchdogDevice
    .default('/dev/watchdog')
    .meta({ title: 'Its device; a node may have another one' }),
  timeout_seconds: z
    .int()
    .min(2)
    .max(600)
    .default(10)
    .meta({ title: 'It resets the machine when it was not fed for so long' }),
  lease_seconds: seconds.optional().meta({
    title: 'A node that holds anything is reset so long after it last belonged to a quorum',
  }),
})

const corosync = z.strictObject({
  accept: z
    .array(z.enum(quorumRisks))
    .default([])
    .meta({ title: 'Options of corosync.conf that picketd would not start with, by name' }),
})

export const configSchema = z.strictObject({
  cluster: z.strictObject({
    name: nameSchema.meta({ title: "The cluster's name" }),
    nodes: z.array(node).min(1).max(32).meta({ title: 'Every node of the cluster' }),
  }),
  fence: fence.prefault({}),
  resources: z.array(resource).default([]),
  groups: z.array(group).default([]),
  checks: z.array(check).max(64).default([]),
  watchdog: watchdog.prefault({}),
  corosync: corosync.prefault({}),
  timing: timing.prefault({}),
})

export type ConfigFile = z.output<typeof configSchema>
export type FileNode = ConfigFile['cluster']['nodes'][number]
export type FileResource = ConfigFile['resources'][number]
export type FileCheck = ConfigFile['checks'][number]
export type FileTiming = ConfigFile['timing']

/** The keys of a check that belong to every type. */
export const checkKeys: readonly string[] = Object.keys(check.shape)
/** The keys of a resource that belong to every type. */
export const resourceKeys: readonly string[] = Object.keys(resource.shape)
