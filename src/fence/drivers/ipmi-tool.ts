/**
 * The way to a BMC through `ipmitool`, for those that the native client does not get on with.
 *
 * One call is one session of about eleven round trips. Two things keep it short: `-C` is always
 * given, because ipmitool otherwise asks for the BMC's ciphers first and waits ten seconds where
 * that is not answered; and ipmitool gets a HOME with a register of one vendor, because it reads a
 * register of five megabytes at every start otherwise (measured: 33 ms a call with it, 11 without).
 */
import type { ChildResult } from '../../foreign/child.ts'
import type { Status } from '../driver.ts'
import { FenceError, type FenceFailure, printable } from '../errors.ts'
import type { Wire } from '../wire.ts'
import { failureOf } from './ipmi-failure.ts'
import { type Cipher, type Options, overCipher, persistently } from './ipmi-options.ts'

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

/** Power and GUID in one session: both are known to come from one and the same BMC. */
export async function readStatus(options: Options, wire: Wire): Promise<Status> {
  return persistently(wire, again('dropped', 'timeout'), async () => {
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

export async function press(options: Options, wire: Wire, verb: 'on' | 'off'): Promise<void> {
  // Repeated only when it never left: a command that may have been heard is the core's business.
  await persistently(wire, again('dropped'), async () => {
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

/** What ipmitool needs to find out, with `-N 1 -R 1`, that nobody answers. */
const ATTEMPT_MS = 2_100

const again = (...failures: FenceFailure[]) => ({ failures, attemptMs: ATTEMPT_MS })

/** One ipmitool, one session; a second one with an older cipher where the BMC asks for it. */
function session(
  options: Options,
  wire: Wire,
  command: readonly string[],
  stdin?: string,
): Promise<ChildResult> {
  return overCipher(options, async (cipher) => {
    const result = await ipmitool(options, wire, cipher, command, stdin)
    const failure = result.code === 0 ? undefined : failureOf(result.stderr)
    if (failure?.failure === 'cipher') throw failure
    return result
  })
}

async function ipmitool(
  { host, port, user, password, privilege }: Options,
  wire: Wire,
  cipher: Cipher,
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
