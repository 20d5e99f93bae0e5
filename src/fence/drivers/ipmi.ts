/**
 * Any BMC that speaks IPMI 2.0 over the network (RMCP+): natively, or through `ipmitool` where a
 * BMC wants to be spoken to in a way that only ipmitool knows.
 *
 * One call is one session: seven questions for a status with the identity, six for an off.
 *
 * @see IPMI 2.0 revision 1.1: 6.12.15 (session timeouts), 13.17 to 13.24 (RMCP+).
 */
import { defineDriver, type Status } from '../driver.ts'
import { FenceError } from '../errors.ts'
import { canonicalIdentity } from '../identity.ts'
import { control, readGuid, readPower } from '../ipmi/chassis.ts'
import { type Session, withSession } from '../ipmi/session.ts'
import type { Wire } from '../wire.ts'
import { cipherOf, type Options, options, overCipher, persistently } from './ipmi-options.ts'
import * as tool from './ipmi-tool.ts'

export const ipmi = defineDriver({
  name: 'ipmi',
  title: 'A BMC that speaks IPMI 2.0 (iDRAC, iLO, XCC, Supermicro, ...)',
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
    returnsMs: 0,
    settleMs: 10_000,
    vouches: false,
    timeoutMs: 8_000,
  },

  endpoint: ({ host, port }) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`),

  status: readStatus,
  powerOff: (options, wire) => press(options, wire, 'off'),
  powerOn: (options, wire) => press(options, wire, 'on'),

  async verify(options, wire) {
    // A session at the privilege that an off needs is the permission: the BMC grants it or not.
    const { power, raw, identity } = await readStatus(options, wire)
    if (power === 'unknown') throw new FenceError('garbled', raw)
    const { user, privilege } = options
    const name = identity && canonicalIdentity(identity)
    return {
      identity,
      detail:
        `lets ${user} in as ${privilege} over cipher suite ${cipherOf(options)}, ` +
        `power is ${power}, ` +
        (name === undefined ? 'tells no system GUID' : `system GUID ${name}`),
    }
  },
})

/** Power and GUID in one session: both are known to come from one and the same BMC. */
async function readStatus(options: Options, wire: Wire): Promise<Status> {
  if (options.via === 'ipmitool') return tool.readStatus(options, wire)
  const failures = ['dropped', 'garbled', 'timeout'] as const
  return persistently(wire, { failures, attemptMs: ATTEMPT_MS }, () =>
    inSession(options, wire, async (session) => {
      const { power, raw } = await readPower(session)
      return { power, raw, identity: await readGuid(session) }
    }),
  )
}

async function press(options: Options, wire: Wire, verb: 'on' | 'off'): Promise<void> {
  if (options.via === 'ipmitool') return tool.press(options, wire, verb)
  // Repeated only for what ends before the command leaves: one that may have been heard is the
  // core's business.
  const failures = ['dropped', 'garbled'] as const
  await persistently(wire, { failures, attemptMs: ATTEMPT_MS }, () =>
    inSession(options, wire, (session) => control(session, verb)),
  )
}

/** What one question without an answer takes. */
const ATTEMPT_MS = 1_800

function inSession<T>(
  options: Options,
  wire: Wire,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const { host, port, user, password, privilege: role } = options
  return overCipher(options, (suite) =>
    withSession(wire, { host, port, user, password, role, suite }, work),
  )
}
