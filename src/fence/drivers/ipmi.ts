/**
 * Any BMC that speaks IPMI 2.0 over the network (RMCP+), through `ipmitool`.
 *
 * One call is one session of about eleven round trips. Two things keep it short: `-C` is always
 * given, because ipmitool otherwise asks for the BMC's ciphers first and waits ten seconds where
 * that is not answered; and ipmitool gets a HOME with a register of one vendor, because it reads a
 * register of five megabytes at every start otherwise (measured: 33 ms a call with it, 11 without).
 *
 * @see IPMI 2.0 revision 1.1: 13.17 to 13.24 (RMCP+), 20.8 (Get Device GUID), 22.14 (Get System
 * GUID), 28.2 and 28.3 (Get Chassis Status, Chassis Control).
 */
import { z } from 'zod'
import type { ChildResult } from '../child.ts'
import { defineDriver, type Status } from '../driver.ts'
import { FenceError, type FenceFailure, printable } from '../errors.ts'
import { canonicalIdentity } from '../identity.ts'
import type { Wire } from '../wire.ts'
import { failureOf } from './ipmi-failure.ts'

/** Encrypted and authenticated suites only; 0 to 2 and their like open the BMC to everybody. */
const ciphers = [3, 8, 12, 17] as const

const options = z.strictObject({
  host: z
    .string()
    .regex(/^[^\s-]\S*$/, 'is not an address or a name')
    .meta({ title: 'Address of the BMC' }),
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
})

type Options = z.output<typeof options>

/** What `chassis power status` prints. Nothing else is a power state (F2). */
const powers: Readonly<Record<string, 'on' | 'off'>> = {
  'Chassis Power is on': 'on',
  'Chassis Power is off': 'off',
}

/** ipmitool names vendors by this register. It refuses to start with an empty one. */
const registerOfOne = {
  '.local/usr/share/misc/enterprise-numbers.txt': `0
  Reserved
    Internet Assigned Numbers Authority
      iana&iana.org
`,
}

/** The cipher that a BMC turned out to speak, so that only the first call has to find out. */
const spoken = new WeakMap<Options, number>()

export const ipmi = defineDriver({
  name: 'ipmi',
  title: 'A BMC that speaks IPMI 2.0 (iDRAC, iLO, XCC, Supermicro, ...), through ipmitool',
  options,
  capabilities: {
    hardOff: true,
    statusAuthoritative: true,
    isolation: 'power',
    // A BMC dies with the power supplies of its host, and then no off can ever be proven by it.
    sharedFate: 'host-power',
    readGapMs: 100,
    // A BMC that hung may read a waiting command when it wakes up, until the session expires there:
    // 60 s +- 3 s without traffic (IPMI 2.0, 6.12.15).
    lateMs: 65_000,
    settleMs: 10_000,
    timeoutMs: 8_000,
  },

  endpoint: ({ host, port }) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`),

  status: readStatus,
  powerOff: (options, wire) => control(options, wire, 'off'),
  powerOn: (options, wire) => control(options, wire, 'on'),

  async verify(options, wire) {
    // A session at the privilege that an off needs is the permission: the BMC grants it or not.
    const { power, raw, identity } = await readStatus(options, wire)
    if (power === 'unknown') throw new FenceError('garbled', raw)
    const { user, privilege } = options
    const name = identity && canonicalIdentity(identity)
    const cipher = options.cipher ?? spoken.get(options) ?? 17
    return {
      identity,
      detail:
        `lets ${user} in as ${privilege} over cipher suite ${cipher}, power is ${power}, ` +
        (name === undefined ? 'tells no system GUID' : `system GUID ${name}`),
    }
  },
})

/** Power and GUID in one session: both are known to come from one and the same BMC. */
async function readStatus(options: Options, wire: Wire): Promise<Status> {
  return persistently(wire, ['dropped', 'timeout'], async () => {
    const script = 'chassis power status\nraw 0x06 0x37\n'
    const { stdout, stderr } = await session(options, wire, ['exec', '/dev/stdin'], script)
    const lines = stdout.split('\n').map((line) => line.trim())
    const guid = lines.find((line) => /^([0-9a-f]{2} ?){16}$/i.test(line))
    const raw = lines.filter((line) => line !== '' && line !== guid).join(' / ')
    // A BMC that tells no GUID makes the call fail; its power it has told all the same.
    if (raw === '') throw failureOf(stderr)
    return { power: powers[raw] ?? 'unknown', raw: printable(raw), identity: guid }
  })
}

async function control(options: Options, wire: Wire, verb: 'on' | 'off'): Promise<void> {
  // Repeated only when it never left: a command that may have been heard is the core's business.
  await persistently(wire, ['dropped'], async () => {
    const { code, stdout, stderr } = await session(options, wire, ['chassis', 'power', verb])
    // Some BMCs refuse to become what they are already. The reads that follow decide.
    if (/failed: Command not supported in present state/.test(stderr)) return
    if (code !== 0) throw failureOf(stderr)
    const echo = `Chassis Power Control: ${verb === 'off' ? 'Down/Off' : 'Up/On'}`
    if (stdout.trim() !== echo) {
      throw new FenceError('garbled', `"${printable(stdout)}" instead of "${echo}"`)
    }
  })
}

/**
 * Does it again after these failures: a packet was lost, and there is time for a further attempt.
 */
async function persistently<T>(
  wire: Wire,
  failures: readonly FenceFailure[],
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const lost = error instanceof FenceError && failures.includes(error.failure)
      const hopeless = wire.signal.aborted || wire.remainingMs() < ATTEMPT_MS
      if (!lost || hopeless || attempt === ATTEMPTS_MAX) throw error
    }
  }
}

const ATTEMPTS_MAX = 3
/** What ipmitool needs to find out, with `-N 1 -R 1`, that nobody answers. */
const ATTEMPT_MS = 2_100

/** One ipmitool, one session; a second one with an older cipher where the BMC asks for it. */
async function session(
  options: Options,
  wire: Wire,
  command: readonly string[],
  stdin?: string,
): Promise<ChildResult> {
  const known = spoken.get(options)
  const cipher = options.cipher ?? known ?? 17
  const first = await ipmitool(options, wire, cipher, command, stdin)
  if (options.cipher !== undefined || !refusesCipher(first)) return first
  // The cipher is agreed on before anything else: nothing has been sent yet.
  const other = cipher === 17 ? 3 : 17
  const second = await ipmitool(options, wire, other, command, stdin)
  if (!refusesCipher(second)) spoken.set(options, other)
  return second
}

function refusesCipher({ code, stderr }: ChildResult): boolean {
  return code !== 0 && failureOf(stderr).failure === 'cipher'
}

async function ipmitool(
  { host, port, user, password, privilege }: Options,
  wire: Wire,
  cipher: number,
  command: readonly string[],
  stdin?: string,
): Promise<ChildResult> {
  // One second and one repetition: a dead BMC is known as one after two seconds instead of twenty.
  const manner = `-I lanplus -C ${cipher} -L ${privilege.toUpperCase()} -N 1 -R 1 -v`.split(' ')
  const args = [...manner, '-H', host, '-p', `${port}`, '-U', user, '-E', ...command]
  const terms = { env: { IPMI_PASSWORD: password }, ...(stdin && { stdin }) }
  const run = (files: Record<string, string>): Promise<ChildResult> =>
    wire.run('ipmitool', args, { ...terms, home: files, debianPackage: 'ipmitool' })

  const result = await run(registerOfOne)
  // Another version may want more of its register than we give it: then it takes the system's.
  return /Failed to initialize the OEM info/.test(result.stderr) ? run({}) : result
}

/** A length in bytes that a field of the IPMI messages can hold, as arguments of `refine`. */
function fits(bytesMax: number): [(text: string) => boolean, string] {
  return [
    (text) => Buffer.byteLength(text) <= bytesMax,
    `is longer than the ${bytesMax} bytes that IPMI 2.0 can hold; give the BMC a shorter one`,
  ]
}
