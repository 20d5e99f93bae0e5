/**
 * Reads out of ipmitool's own words why it failed.
 *
 * Its exit code is 1 for everything and its last line is the same for a wrong password, an unknown
 * user and a dead BMC. With `-v` it says more, costs nothing more, and leaves standard output
 * alone; so every call is made with `-v`, and no fence ever waits for a second call that asks why.
 *
 * The texts are those of ipmitool 1.8.18 and 1.8.19 (lib/ipmi_strings.c, plugins/lanplus). Lines
 * that also stand in the output of successful calls, such as "Get HPM.x Capabilities request
 * failed" or "Invalid completion code received: Insufficient privilege level", must match nothing
 * here.
 */
import { FenceError, type FenceFailure, printable } from '../errors.ts'
import { raiseLimit } from '../ipmi/codes.ts'

interface Symptom {
  readonly text: RegExp
  readonly failure: FenceFailure
  readonly detail: string
  readonly mend?: string
}

const openSession = 'Error in open session response message : '

const symptoms: readonly Symptom[] = [
  {
    text: /^Address lookup for .* failed/m,
    failure: 'unreachable',
    detail: 'its name cannot be resolved',
    mend: 'write its address instead of its name',
  },
  {
    text: /^(Could not open socket|connect failed)/m,
    failure: 'unreachable',
    detail: 'no socket could be opened to it',
  },
  {
    text: /^(Get Auth Capabilities error|Error issuing Get Channel Authentication Capabilities)/m,
    failure: 'unreachable',
    detail: 'nothing answers there, not even before the login',
  },
  {
    text: /^This BMC does not support IPMI v2/m,
    failure: 'cipher',
    detail: 'it speaks IPMI 1.5 only',
    mend: 'update its firmware; IPMI 1.5 does not encrypt and is not supported',
  },
  {
    text: new RegExp(`^${openSession}(no matching|invalid (authentication|integrity|confid))`, 'm'),
    failure: 'cipher',
    detail: 'the BMC does not know this cipher suite',
  },
  {
    text: /^Unsupported cipher suite ID/m,
    failure: 'cipher',
    detail: 'this ipmitool does not know this cipher suite',
  },
  {
    text: /insufficient resources for (session|role)|: (Node busy|Out of space)|BMC initiali/m,
    failure: 'busy',
    detail: 'it has no room for one more session, or is starting',
  },
  {
    text: /(RAKP 2 HMAC is invalid|invalid integrity check value)/,
    failure: 'auth',
    detail: 'the BMC knows the user, but with another password',
  },
  {
    text: /RAKP 2 message indicates an error : unauthorized name/,
    failure: 'user',
    detail: 'the BMC lets no such user in over the network',
  },
  {
    text: /(unauthorized role|invalid role|^Set Session Privilege Level to \S+ failed)/m,
    failure: 'privilege',
    detail: 'the BMC does not grant this user the privilege level that we ask for',
    mend: raiseLimit,
  },
  {
    text: /^(Set|Get) Chassis Power .* failed: Insufficient privilege/m,
    failure: 'privilege',
    detail: 'the BMC does not let this user control the chassis',
    mend: raiseLimit,
  },
  {
    text: /(no response from RAKP|Timeout in open session response)/,
    failure: 'dropped',
    detail: 'it fell silent during the login',
  },
  {
    text: /^(Unable to [sg]et Chassis Power|(Set|Get) Chassis Power .* failed: Timeout)/m,
    failure: 'timeout',
    detail: 'the BMC took the session, and did not answer the command',
  },
]

/** The failure behind what ipmitool printed to standard error. */
export function failureOf(stderr: string): FenceError {
  const symptom = symptoms.find(({ text }) => text.test(stderr))
  if (symptom !== undefined) return new FenceError(symptom.failure, symptom.detail, symptom.mend)

  const refusal = /^(?:Set|Get) Chassis Power .* failed: (.*)$/m.exec(stderr)?.[1]
  if (refusal !== undefined) return new FenceError('refused', `"${printable(refusal)}"`)

  const lines = stderr.trim().split('\n')
  return new FenceError('garbled', `ipmitool ended with "${printable(lines.at(-1) ?? '')}"`)
}
